//! The phrases that give a model orders.
//!
//! A rule is a row of words. `a/b` is either, `$not` a group, and a word in brackets a tag. `~3` are up to three other words of the sentence, and
//! `~~3` also across its end. In front, `!` means that no negation stands just before, and `^` that a sentence begins.

/// What orders want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The user is not to know.
    Conceal,
    /// What was said before is not to count.
    Override,
    /// This tool is to go before all others.
    Precede,
    /// Something is to be read and handed over.
    HandOver,
    /// Somebody speaks who has more to say.
    Pretend,
}

/// Words that rules share.
pub(super) const GROUPS: &[(&str, &str)] = &[
    ("not", "not/never/dont/doesnt/nor/without/avoid/cannot/cant/mustnt/shouldnt/wont/neednt/refrain"),
    (
        "tell",
        "tell/telling/mention/mentioning/inform/informing/notify/notifying/reveal/revealing/disclose/disclosing/alert/alerting/warn/\
         warning/explain/explaining/acknowledge/admit/confess/announce",
    ),
    ("show", "show/showing/display/displaying/output/print/present/share/sharing/expose/exposing/surface"),
    ("nor", "$not/stop/no/nobody/prevents/prevent/prevented"),
    ("user", "user/users/human/humans/person/people/customer/customers/owner/operator/anyone/anybody/them"),
    ("this", "this/that/it/these/those/them/any/anything/everything"),
    ("ignore", "ignore/disregard/forget/override/bypass/discard/overrule/overwrite"),
    ("before", "previous/prior/above/earlier/preceding/former/existing/foregoing/original/initial"),
    ("text", "instruction/instructions/guideline/guidelines/guidance/directive/directives/directions"),
    ("call", "call/use/run/invoke/execute/query/trigger"),
    ("calling", "calling/using/running/invoking/executing/querying"),
    ("called", "called/used/run/invoked/executed"),
    ("all", "any/every/all/each/anything/everything"),
    (
        "act",
        "other/others/else/tool/tools/function/functions/action/actions/answer/answers/answering/response/request/question/task/message/reply",
    ),
    (
        "give",
        "pass/put/include/send/attach/provide/append/add/insert/place/paste/copy/write/forward/post/upload/submit/embed/encode/supply/fill",
    ),
    (
        "door",
        "id_rsa/id_ed25519/ssh/env/passwd/shadow/kube/kubeconfig/netrc/npmrc/pgpass/gnupg/keychain/wallet/cookies/history/credentials/secrets/\
         environment/mcp/aws",
    ),
    ("keys", "key/keys/token/tokens/password/passwords/secret/secrets/credential/credentials"),
    ("whole", "whole/entire/full/complete/all"),
    ("maker", "anthropic/openai/developer/developers/administrator/administrators/vendor"),
];

/// All rules.
pub(super) const RULES: &[(Kind, &str)] = &[
    (Kind::Conceal, "$not ~2 $tell ~5 $user"),
    (Kind::Conceal, "$not ~1 $show ~1 $this ~4 $user"),
    (
        Kind::Conceal,
        "$not ~1 mention/reveal/disclose/discuss/acknowledge ~1 $this ~2 instruction/instructions/step/steps/tool/tools/note/call/calls/action/\
         request/rule/rules/message/paragraph/prompt/behavior/behaviour",
    ),
    (
        Kind::Conceal,
        "$not ~1 mention/reveal/disclose/acknowledge ~5 in ~2 your ~1 answer/response/reply/summary/output",
    ),
    (
        Kind::Conceal,
        "! hide/conceal/hiding/concealing/withhold ~1 this/it/these/that/them/your/everything/all/what/any ~5 from ~2 $user",
    ),
    (Kind::Conceal, "! keep/keeping ~4 secret/hidden/quiet/confidential/private ~3 from ~1 $user"),
    (Kind::Conceal, "! keep ~1 $user ~1 unaware/uninformed/ignorant"),
    (Kind::Conceal, "! keep ~2 to yourself"),
    (
        Kind::Conceal,
        "user/users ~1 must/should/may/ought ~1 $not ~2 know/see/notice/learn/told/aware/informed/realize/realise/suspect/hear/discover",
    ),
    (
        Kind::Conceal,
        "user/users mustnt/shouldnt/neednt ~2 know/see/notice/learn/told/aware/informed/realize/realise/suspect/hear/discover",
    ),
    (Kind::Conceal, "user/users ~2 need to know ~1 about/this"),
    (
        Kind::Conceal,
        "! secretly/covertly/stealthily/surreptitiously ~3 call/send/read/include/run/execute/pass/forward/copy/add/upload/invoke/use/append/\
         attach/collect/write/save/record/log/insert",
    ),
    (
        Kind::Conceal,
        "! call/send/read/include/run/execute/pass/forward/copy/add/upload/invoke/append/attach/collect/insert ~8 \
         secretly/covertly/stealthily/surreptitiously",
    ),
    (
        Kind::Conceal,
        "! silently/quietly/discreetly ~2 call/read/include/pass/forward/copy/upload/invoke/append/attach/collect/bcc",
    ),
    (
        Kind::Conceal,
        "! without ~3 user/users/human/customer/owner knowing/knowledge/noticing/awareness/seeing",
    ),
    (
        Kind::Conceal,
        "! without ~1 asking/telling/informing/notifying/alerting/warning/consulting ~2 user/users/human/customer/owner",
    ),
    (Kind::Conceal, "! pretend ~2 nothing/this/that/it/you"),
    (Kind::Conceal, "as if/though nothing ~1 happened/changed"),
    (Kind::Conceal, "! deceive/mislead ~2 user/users/human/customer"),
    (Kind::Conceal, "! lie to ~1 user/users/human/customer"),
    (Kind::Conceal, "make no mention"),
    (Kind::Conceal, "no need to ~1 tell/mention/bring/raise/inform/explain ~4 $user"),
    (Kind::Conceal, "$not ~1 disclose/reveal/mention/discuss ~4 existence/presence"),
    (Kind::Conceal, "$not ~1 discuss/share ~6 with ~1 $user"),
    (Kind::Conceal, "deny that ~1 you/this/tool/it"),
    (Kind::Conceal, "$not ~1 let ~1 $user ~1 see/know/notice/find/learn"),
    (
        Kind::Conceal,
        "sure ~2 $user/nobody ~2 not/never/doesnt/dont/cant/cannot ~1 find/finds/learn/learns/know/knows/see/sees/notice/notices",
    ),
    (Kind::Conceal, "nobody/none ~1 may/must/should/can ~1 find/know/see/learn/notice"),
    (Kind::Conceal, "$not ~6 in what you say/tell/write/answer"),
    (Kind::Conceal, "stay/stays/remain/remains/keep ~3 between us"),
    (Kind::Conceal, "$not ~1 $show ~1 $user ~1 what/that/which/how/this"),
    (Kind::Conceal, "reveal/disclose/tell/say/mention/show/admit nothing ~5 $user"),
    (Kind::Conceal, "leave no trace/traces/mention"),
    (Kind::Conceal, "omit/strip ~2 this/it/these/that from ~2 your"),
    (
        Kind::Conceal,
        "this ~1 part/text/message/note/instruction/paragraph/section ~2 invisible/hidden/unseen ~2 $user",
    ),
    (Kind::Conceal, "this ~2 not ~1 shown/visible/displayed ~2 $user"),
    (Kind::Conceal, "$user cannot/cant see/read ~1 this"),
    (Kind::Conceal, "tell ~1 $user ~8 although/though"),
    (Kind::Conceal, "answer/act/behave/respond/reply as if/though ~1 you/nothing/it"),
    (
        Kind::Override,
        "$before/other/all/your ~2 $text/prompt/prompts ~5 ignored/disregarded/void/invalid/obsolete/overridden/forgotten",
    ),
    (Kind::Override, "$text/rules/prompt ~3 longer ~1 apply/valid/hold/count/matter/binding"),
    (Kind::Override, "$before ~1 $text/orders/rules ~2 cancelled/canceled/revoked/withdrawn/lifted"),
    (
        Kind::Override,
        "even when ~2 user/users/human/person/they ~1 objects/object/refuses/refuse/says/asks/tells/disagrees/forbids",
    ),
    (Kind::Override, "without waiting for ~1 user/users/approval/confirmation/consent/permission"),
    (Kind::Override, "go/going on/ahead without ~2 confirmation/approval/consent/permission"),
    (Kind::Override, "stop/cease following/obeying ~3 prompt/$text/rules/user"),
    (
        Kind::Override,
        "$not ~3 follow/obey/heed/respect ~2 your/previous/user/users/system/safety ~2 $text/rules/policies/prompt/request/requests/wishes",
    ),
    (Kind::Override, "your instructions/rules/task/role ~1 changed"),
    (Kind::Override, "^ new ~1 instruction/instructions/directive :"),
    (Kind::Override, "$not ~1 ask/prompt/consult/bother ~6 confirmation/permission/approval/consent"),
    (Kind::Override, "! skip/bypass ~2 confirmation/approval/consent ~2 user/users"),
    (Kind::Override, "! skip/bypass ~1 user/users ~1 confirmation/approval/consent"),
    (Kind::Override, "already ~1 agreed/approved/consented ~1 to everything/all/anything/this"),
    (
        Kind::Override,
        "you ~2 permission/allowed/authorized/authorised/free ~4 without ~3 approval/permission/consent/confirmation/user/users/asking",
    ),
    (Kind::Override, "! $ignore ~2 $before/all/any/your/other/system/safety/every ~2 $text"),
    (Kind::Override, "! $ignore ~2 $before/your/system ~1 prompt/prompts/messages/conversation/context"),
    (
        Kind::Override,
        "! $ignore ~1 $text/rules ~4 above/before/earlier/given/previously/received/user/system/developer/other",
    ),
    (
        Kind::Override,
        "! $ignore ~1 your/previous/prior/earlier/safety ~2 \
         rules/policies/restrictions/safeguards/training/constraints/guardrails/programming/limitations",
    ),
    (
        Kind::Override,
        "! $ignore everything/anything/whatever/what/all ~4 told/said/above/before/instructed/asked/learned/know/wrote/written/came/wants/requested",
    ),
    (
        Kind::Override,
        "! $ignore ~2 user/users ~2 \
         request/requests/instruction/instructions/wishes/wish/decision/objection/objections/question/refusal/orders/intent",
    ),
    (
        Kind::Override,
        "instruction/instructions/directive/directives ~3 override/overrides/supersede/supersedes/outrank/outranks/replace/replaces ~4 \
         $text/prompt/rules/everything/user/users/system/previous",
    ),
    (Kind::Override, "instruction/instructions/directive/directives ~3 precedence/priority ~1 over"),
    (Kind::Override, "! you are now ~1 a/an/my/free/acting/unrestricted/no"),
    (Kind::Override, "from now on ~2 you/always/never/every/all/do/call/use/send/ignore"),
    (
        Kind::Override,
        "your new/real/true/actual/only/sole/secret task/goal/job/mission/role/objective/purpose/instruction/instructions/priority/directive ~1 \
         is/are",
    ),
    (
        Kind::Override,
        "even if ~2 user/users/human/person/they ~1 objects/object/refuses/refuse/declines/decline/disagrees/forbids/forbid",
    ),
    (
        Kind::Override,
        "even if ~2 user/users/human/person/they ~1 says/said/asks/tells/wants/say/ask/tell/want ~4 not/no/otherwise/stop/dont",
    ),
    (
        Kind::Override,
        "regardless/matter/whatever ~3 user/users/they ~2 says/say/said/asks/asked/wants/want/requests/requested/instructs/instructed",
    ),
    (Kind::Precede, "$call ~1 this ~3 before/prior ~2 $all ~1 $act"),
    (Kind::Precede, "before/prior ~1 $calling ~1 $all/other/another ~1 $act/server/servers"),
    (Kind::Precede, "before ~1 doing/do anything/everything"),
    (Kind::Precede, "before $all ~1 other ~1 tool/tools/function/functions/call/calls/action/actions"),
    (Kind::Precede, "always/must/shall ~3 $call ~1 this ~2 first"),
    (Kind::Precede, "this ~2 must/should/has/needs/always ~3 $called first"),
    (Kind::Precede, "always/must ~2 start/begin ~1 by/with ~1 calling/using/this ~1 this/tool"),
    (
        Kind::Precede,
        "not/never/dont/avoid ~1 $call/trust any/all other tool/tools/function/functions/server/servers",
    ),
    (
        Kind::Precede,
        "not/never/dont/avoid ~1 $call/trust other/another/different tool/tools/function/functions/server/servers",
    ),
    (Kind::Precede, "$call/prefer/choose ~1 this ~3 instead/over/rather ~2 any/all/every/other/another"),
    (
        Kind::Precede,
        "other/another ~1 tool/tools/server/servers ~3 \
         deprecated/broken/unsafe/insecure/outdated/disabled/obsolete/malicious/dangerous/unreliable/compromised",
    ),
    (
        Kind::Precede,
        "whenever/when/each/every ~3 other/another/any ~1 tool/tools ~1 called/used/invoked/executed/returns",
    ),
    (Kind::Precede, "$call ~1 this ~3 ahead of ~1 $all ~1 $act"),
    (Kind::Precede, "before anything else ~4 $call/read/fetch/open/send"),
    (Kind::Precede, "$not ~1 trust ~4 tools/tool/server/servers"),
    (Kind::Precede, "replaces/supersedes ~1 all/any/every/other ~1 other/tool/tools"),
    (Kind::Precede, "$call ~1 this ~3 at ~1 beginning/start/end of ~1 every/each/any/all"),
    (
        Kind::Precede,
        "before/after/on/for/with each/every ~1 answer/message/reply/response/conversation/turn/question ~4 $call/send ~1 this",
    ),
    (
        Kind::Precede,
        "$call ~1 this ~3 before/after/for/with each/every ~1 answer/message/reply/response/conversation/turn/question",
    ),
    (
        Kind::Precede,
        "set/change/replace/rewrite/redirect/add ~3 recipient/recipients/bcc ~6 every/all/each/any/other ~2 \
         mail/mails/email/emails/message/messages/payment/payments/transfer/transfers/tool/tools",
    ),
    (
        Kind::HandOver,
        "! $give ~1 all/everything ~2 user/users ~2 typed/said/wrote/written/entered ~2 in/to/as/so",
    ),
    (Kind::HandOver, "content/contents/text of ~3 netrc/npmrc/pgpass/passwd/shadow/gnupg/keychain"),
    (
        Kind::HandOver,
        "! list/dump/print/get/show/read ~2 environment variables ~~4 $give ~1 them/it/their/in/as",
    ),
    (Kind::HandOver, "! print/list/show/tell/reveal/give ~2 any/all/every ~3 $keys ~2 you"),
    (Kind::HandOver, "! repeat/print/show/reveal/output ~2 your ~1 instructions/prompt/rules/guidelines"),
    (
        Kind::HandOver,
        "! read/open/load/cat/fetch/access/retrieve/find/grab/collect/extract ~6 $door ~~10 $give",
    ),
    (Kind::HandOver, "! $give ~2 content/contents/value/values/text ~1 of/from ~6 $door"),
    (
        Kind::HandOver,
        "! read/open/load/cat ~6 file/files ~~3 $give ~2 content/contents/text/data/it/them/result ~4 as/in/into/to/through/via/here",
    ),
    (Kind::HandOver, "content/contents/data/text ~1 from/of ~1 reading/read ~5 $door/file/files"),
    (
        Kind::HandOver,
        "! $give ~2 $whole ~2 conversation/chat/message/dialog ~1 history/context/messages/transcript/log/so",
    ),
    (
        Kind::HandOver,
        "! $give/reveal/repeat/show/output/print/share ~2 your ~1 system prompt/message/instructions",
    ),
    (
        Kind::HandOver,
        "! $give ~3 result/results/output/outputs/answers/responses/data ~1 of/from ~2 other/all/any/every ~2 tool/tools/calls/servers",
    ),
    (Kind::HandOver, "! $give ~2 any/all/every ~3 $keys ~2 you"),
    (
        Kind::Pretend,
        "<important>/<system>/<instructions>/<instruction>/<secret>/<hidden>/<critical>/<admin>/<override>/<sys>/<assistant>/<developer>",
    ),
    (
        Kind::Pretend,
        "<system_prompt>/<im_start>/<im_end>/<inst>/<system_instruction>/<system_override>/<urgent>/<priority>/<directive>",
    ),
    (
        Kind::Pretend,
        "^ system/developer/admin/administrator : ~4 you/your/ignore/disregard/do/never/always/must/override/from",
    ),
    (Kind::Pretend, "^ system/developer/security/admin/priority override/directive"),
    (
        Kind::Pretend,
        "^ system/developer/security/admin/priority message/notice/instruction/instructions/order/update/alert :",
    ),
    (
        Kind::Pretend,
        "this/following/below ~2 message/instruction/instructions/order/notice/directive/note/update/request ~2 from ~1 \
         system/$maker/admin/google/microsoft/provider/operator",
    ),
    (
        Kind::Pretend,
        "i am ~2 your/the/a/an ~1 developer/creator/administrator/admin/owner/maker/operator/supervisor",
    ),
    (
        Kind::Pretend,
        "im ~2 your/the ~1 developer/creator/administrator/admin/owner/maker/operator/supervisor",
    ),
    (
        Kind::Pretend,
        "$maker/compliance ~2 requires/require/instructs/instruct/instructed/orders/ordered/demands/authorized/authorised/commands/mandates ~1 \
         you/your/assistants/assistant/agents/models",
    ),
    (Kind::Pretend, "$maker/admin ~4 want/wants/ask/asks/need/needs you"),
    (
        Kind::Pretend,
        "^ message/notice/order/alert/announcement from ~1 system/security/$maker/admin/provider/host",
    ),
    (
        Kind::Pretend,
        "as ~1 administrator/developer/admin i ~1 allow/order/authorize/authorise/instruct/permit/command",
    ),
    (Kind::Pretend, "[system]/[inst]/[admin]/[developer]/[system_message]/[system_prompt]/[system_override]"),
    (Kind::Pretend, "on behalf of ~1 system/$maker"),
    (Kind::Pretend, "$maker ~1 cleared/approved ~1 this"),
    (Kind::Pretend, "as if/though ~1 user/users ~1 written/wrote/said/asked/typed"),
    (Kind::Pretend, "you ~2 in ~1 developer/admin/god/debug/maintenance/root/unrestricted mode"),
];
