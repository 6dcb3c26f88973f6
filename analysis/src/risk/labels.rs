//! What a tool has to do with, beside its class.
//!
//! In: a tool's name, description, schema and hints, and its class. Out: labels. More text gives more labels, never fewer (R7.1).

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::evidence::Tool;
use super::{Class, Label, tokens};

/// What opens doors. A pair stands in this order.
const CREDENTIALS: &str = "access key, api key, secret, password, credential, private key, ssh key, passphrase, certificate, \
    access token, auth token, refresh token, bearer token, deploy key, service key, client secret, key pair, \
    keypair, vault, passkey, oauth token, personal token, token with, apikey, accesskey, create token, \
    generate token, revoke token, rotate token, issue token, signing key, encryption key, login profile, \
    mfa device, seed phrase, mnemonic";
/// Who may do what.
const IDENTITIES: &str = "user, role, group, policy, permission, iam, identity, service account, member, access, tenant, principal, \
    grant, collaborator, admin, privilege, acl, sso, saml, password, credential, access key, api key, invitation, \
    workload";
/// What belongs to somebody.
const PRIVATE: &str = "email, message, inbox, contact, calendar, mail, thread, conversation, chat, customer, patient, user, \
    employee, document, drive, file, note, memory, transcript, recording, payment, invoice, account, profile, \
    medical, health record, attachment, dm, sms, call log, history, lead, candidate, order, transaction, photo, \
    location, person, people, member, balance, wallet, subscription, statement, card, depot, portfolio, position, refund, payout, transfer, \
    escrow, withdrawal, deposit, expense, salary, payroll, address";
/// What strangers write.
const STRANGE: &str = "url, web, page, website, webpage, html, email, message, issue, comment, review, tweet, post, feed, rss, \
    inbox, mail, thread, ticket, pull request, discussion, scrape, crawl, browse, navigate, transcript, reddit, \
    news, search, attachment, page snapshot, browser snapshot, conversation, mention, timeline, bookmark";
/// What goes to others.
const OUTWARD: &str = "send, post, publish, share, tweet, reply, forward, broadcast, notify, webhook, invite, upload, email, sms, \
    announce";
const MANY: &str = "bulk, batch, mass, all, many, multiple, multi, everything, prune";
const CHANGES: &str = "create, add, update, delete, remove, attach, detach, invite, set, put, grant, revoke, enable, disable, \
    assign, unassign, modify, edit, change, promote, register, suspend, ban, deactivate, activate, reset, manage, \
    approve, associate, disassociate, kick";

/// Whether a word of the list is among the words, or a pair of it next to each other.
fn any(words: &[Cow<'_, str>], list: &str) -> bool {
    list.split(", ").any(|one| match one.split_once(' ') {
        Some(pair) => {
            words.windows(2).any(|two| matches!(two, [first, second] if (&**first, &**second) == pair))
        }
        None => words.iter().any(|word| word == one),
    })
}

/// Clause R6.
pub(super) fn labels(tool: &Tool<'_>, class: Class) -> BTreeSet<Label> {
    let name: Vec<Cow<'_, str>> = tool.words.iter().map(|word| tokens::singular(word)).collect();
    let low = tool.description.to_ascii_lowercase();
    let mut found = BTreeSet::new();
    let mut say = |label, holds: bool| {
        if holds {
            found.insert(label);
        }
    };
    let says = |phrases: &str| phrases.split(", ").any(|phrase| low.contains(phrase));
    let answers = |names: &str| names.split(", ").any(|name| tool.answers.iter().any(|one| one == name));
    say(
        Label::Credentials,
        any(&name, CREDENTIALS)
            || answers(
                "access_token, secret, secret_key, password, private_key, api_key, secret_access_key, \
                refresh_token",
            )
            || says(
                "new secret, access key, secret access key, returns the secret, api key and, private key, \
                returns an access token, access token for, plaintext secret, secret value, oauth token, access tokens, \
                stored credential, concealed field",
            ),
    );
    let changes = class != Class::Read && (any(&name, CHANGES) || class.strength() > Class::Write.strength());
    say(
        Label::IdentityAdmin,
        changes
            && any(&name, IDENTITIES)
            && !any(&name, "user story, access log, group chat, profile picture"),
    );
    say(Label::PrivateData, any(&name, PRIVATE) || says("personal data, personally identifiable"));
    let strange = any(&name, STRANGE) && !any(&name, CHANGES) && !any(&name, "send, move, post");
    say(Label::UntrustedInput, strange || tool.schema.first("url urls uri").is_some());
    say(
        Label::Outbound,
        class != Class::Read
            && (any(&name, OUTWARD) && !any(&name, "delete, remove, like, unlike")
                || tool
                    .schema
                    .first(
                        "webhook webhook_url callback_url recipient recipients to_address to_email destination_address \
                        recipient_address payee transfers",
                    )
                    .is_some())
            || tool.schema.method().is_some()
            || any(&name, "http request, webhook") && class != Class::Read,
    );
    say(
        Label::Batch,
        any(&name, MANY)
            || tool.schema.batch().is_some()
            || says("in bulk, deletes all, delete all, all files"),
    );
    found
}
