"""Who calls, by a verified access token (clause 9.1).

In: an HTTP request, or a token that was verified. Out: the identity that it stands for. Must not take anything that a client sets for one.
"""

from __future__ import annotations

from typing import Any


def identity_of_request(request: Any) -> dict[str, Any] | None:
    """The identity that an HTTP request's verified token stands for; over another transport, the current context's.

    The request comes first: 1.x of the SDK handles all messages of a session in the context of the one that opened it.
    """
    from mcp.server.auth.middleware.auth_context import get_access_token
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser

    user = (getattr(request, "scope", None) or {}).get("user")
    return identity_of_token(user.access_token if isinstance(user, AuthenticatedUser) else get_access_token())


def identity_of_token(token: Any) -> dict[str, Any] | None:
    """The identity that a verified access token stands for; absent without one.

    Its claims, with `id` (the subject, else the client), `client_id` and `scopes` from the token itself.
    """
    if token is None:
        return None
    claims = getattr(token, "claims", None) or {}
    subject = getattr(token, "subject", None) or claims.get("sub")
    return {
        **claims,
        "id": subject or token.client_id,
        "client_id": token.client_id,
        "scopes": list(token.scopes or ()),
    }
