//! Verbs of tools' names and descriptions, as data.
//!
//! In: a word in lower case. Out: which class it says, and how surely. What nouns make of a verb is in `rules`.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::Class::{self, Destructive, Execute, Financial, Read, Write};

/// A verb, as a name has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verb {
    pub(super) word: &'static str,
    pub(super) class: Class,
    /// How often a name with this verb has the class, of 100, as far as the verb alone tells.
    pub(super) sure: u8,
    /// The word is a noun as often: `run`, `order`, `charge`.
    pub(super) noun: bool,
}

/// A class, and its words: each behind the number that says how sure it is of it.
type Row = (Class, &'static str);

/// Words that are verbs wherever they stand.
const VERBS: &[Row] = &[
    (
        Read,
        "
        90: get list fetch read search find show describe retrieve whoami ping can is has contains exists count
        88: inspect explain summarize summarise analyze analyse compare calculate compute validate verify estimate preview
            detect extract lint translate suggest recommend classify identify discover explore lookup browse determine
        84: examine audit predict think forecast introspect decode encode tokenize transcribe locate traverse parse poll
            enumerate hgetall hget mget zrange lrange smembers dbsize geocode sequentialthinking
        82: scrape crawl convert format simulate head tail grep glob stat ls cat peek echo wait assess aggregate collect
            gather visualize plot sum average solve escape unescape minify prettify proofread paraphrase expect
        80: resolve blame assert enrich obtener listar buscar consultar obtenir lister chercher suchen anzeigen получить
        76: generate render transform reason research ask grab obtain measure infer interpret diagnose
        70: load",
    ),
    (
        Write,
        "
        90: create add update edit modify append upsert rename write reschedule assign
        88: upload save store copy duplicate clone invite enable disable publish unpublish send reply detach attach configure
        86: subscribe unsubscribe accept approve reject decline reopen unlock mute unmute unpin unblock unarchive mark unmark
            untag register acknowledge ack notify grant transition adjust toggle increment decrement activate deactivate
            unassign unstar
        84: associate disassociate annotate amend reconnect resend resubmit requeue reconfigure unset undo redo unzip zip hset
            hmset mset setex lpush rpush sadd zadd xadd incr decr respond recreate wrap unwatch unvote goto unwrap
        82: patch put change move submit join leave login logout authenticate connect disconnect restart reboot pause resume
            stop
        80: import archive restore close replace prepend enqueue provision promote scale mount unmount reorder escalate
            customize define defer delay demote enroll unenroll fulfill override paste persist populate postpone prioritize
            reassign crear actualizar enviar créer envoyer erstellen aktualisieren criar atualizar создать
        76: navigate switch authorize remember memorize ingest install upgrade initialize init setup download bind crop trim
            insert
        74: assume go hangup highlight hold prepare recover reindex relocate remind repair retire revise route split undelete
            unshare
        72: manage start shutdown cancel resize propose unfollow unlike react bookmark favorite dismiss snooze hide unhide
        70: scroll broadcast announce renew complete finalize finish sign refresh seed migrate merge refactor fix
        68: extend emulate reload acquire exchange adopt make take confirm initiate increase decrease retry control unpause
            attempt provide reduce harvest
        66: abort reverse drain downgrade revert trash handle maximize minimize select book allocate reserve ban kick suspend
            unban begin",
    ),
    (
        Execute,
        "
        88: execute exec invoke eval trigger click dblclick doubleclick rerun
        84: tap press swipe spawn keypress drag dispatch
        82: redeploy rebuild replay
        74: evaluate launch inject delegate orchestrate automate interact fill hover perform backfill bootstrap pinch fling
            autofill kickoff",
    ),
    (
        Destructive,
        "
        95: delete drop destroy purge erase wipe nuke shred
        90: terminate uninstall kill revoke overwrite expunge
        88: rmdir decommission dispose obliterate undeploy deprovision teardown delist eliminar borrar supprimer effacer
            löschen lösche entfernen excluir apagar удалить
        86: hdel srem zrem flushdb flushall
        80: remove flush prune discard deallocate forget rm del cleanup
        70: clear reset rollback unregister deregister invalidate evict expire void",
    ),
    (
        Financial,
        "
        92: pay withdraw buy sell unstake repay liquidate
        84: invest wager disburse topup recharge prepay
        82: reimburse donate borrow lend redeem remit
        70: rebalance undelegate",
    ),
];

/// Words that are verbs where nothing else of the name is one.
const NOUNS: &[Row] = &[
    (
        Read,
        "
        84: view scan monitor watch review track profile
        82: query check
        80: diff
        74: map filter sort match sample screenshot snapshot score rank rate export dump stream answer chat trace embed
        66: capture",
    ),
    (
        Write,
        "
        84: post comment message share email fork commit push note label tag pin star rebase tweet like vote
        74: forward follow block link schedule stage stash sync pull checkout lock open record play skip seek log flag
        72: compose
        70: apply draft backup index cache group process request release claim invoice rotate set mint branch cherry train
        66: place issue queue exercise
        62: report",
    ),
    (
        Execute,
        "
        82: run deploy
        72: build call type compile test debug act shell input fire",
    ),
    (
        Destructive,
        "
        80: truncate empty clean",
    ),
    (
        Financial,
        "
        86: charge refund payout purchase trade stake
        74: transfer order swap bid tip deposit bridge bill settle escrow supply
        68: fund wire pledge",
    ),
];

/// Nouns that end the name of a tool that only answers, where the name has no verb or one that is a noun as often.
pub(super) const ANSWERS: &str = "log directions matrix availability summarizer balance balances capabilities catalog changelog context count counts definition \
    definitions detail details diagnostics docs documentation eligibility estimate events example examples fee fees \
    field fields forecast guide health help history id ids info information insights limits list logs lookup \
    metadata metric metrics name names news number options outline overview performance permissions price prices \
    pricing progress quote quotes rate rates report reports requirements result results schema schemas score scores \
    snapshot state statistics stats status structure suggestions summary thinking time timeline timezone tree trend \
    trends types usage version versions weather calculator search finder analysis analyzer checker validator \
    screenshot date clock directory symbols references hover completions breakdown config configuration \
    risk env environment kpi";

/// Nouns that end the name of a tool that runs what it is given, where the name has no verb.
pub(super) const RUNNERS: &str = "bash shell terminal powershell repl python javascript ssh kubectl interpreter cmd zsh sandbox command graphql mutation curl osascript playbook";

/// Verbs of two words.
const PAIRS: &[((&str, &str), &str)] = &[
    (("clean", "up"), "cleanup"),
    (("roll", "back"), "rollback"),
    (("shut", "down"), "shutdown"),
    (("look", "up"), "lookup"),
    (("log", "in"), "login"),
    (("sign", "in"), "login"),
    (("log", "out"), "logout"),
    (("sign", "out"), "logout"),
    (("set", "up"), "setup"),
    (("turn", "on"), "enable"),
    (("turn", "off"), "disable"),
    (("kick", "off"), "trigger"),
    (("check", "in"), "submit"),
    (("check", "out"), "switch"),
    (("sign", "up"), "register"),
    (("re", "run"), "rerun"),
    (("power", "on"), "enable"),
    (("power", "off"), "disable"),
    (("search", "replace"), "replace"),
    (("top", "up"), "topup"),
    (("cash", "out"), "withdraw"),
    (("un", "assign"), "unassign"),
    (("wipe", "out"), "wipe"),
    (("tear", "down"), "destroy"),
];

/// Whether a list of words, with blanks between them, has a word.
pub(super) fn contains(list: &str, word: &str) -> bool {
    list.split(' ').any(|one| one == word)
}

fn verbs(rows: &'static [Row], noun: bool) -> impl Iterator<Item = Verb> {
    rows.iter().flat_map(move |&(class, words)| {
        let mut sure = 0;
        words.split_whitespace().filter_map(move |word| match word.strip_suffix(':') {
            Some(number) => {
                sure = number.parse().unwrap_or(0);
                None
            }
            None => Some(Verb { word, class, sure, noun }),
        })
    })
}

fn table() -> &'static HashMap<&'static str, Verb> {
    static TABLE: OnceLock<HashMap<&'static str, Verb>> = OnceLock::new();
    TABLE
        .get_or_init(|| verbs(NOUNS, true).chain(verbs(VERBS, false)).map(|verb| (verb.word, verb)).collect())
}

/// The verb that a word is.
pub(super) fn verb(word: &str) -> Option<Verb> {
    table().get(word).copied()
}

/// The verb that two words are together.
pub(super) fn pair(first: &str, second: &str) -> Option<Verb> {
    PAIRS.iter().find(|(words, _)| *words == (first, second)).and_then(|(_, verb_)| verb(verb_))
}

/// The verb of a word as prose has it: `deletes`, `deleting`, `copies`.
pub(super) fn inflected(word: &str) -> Option<Verb> {
    if let Some(found) = verb(word) {
        return Some(found);
    }
    let stem = |ending: &str, instead: &str| {
        word.strip_suffix(ending)
            .filter(|stem| stem.len() >= 2)
            .and_then(|stem| if instead.is_empty() { verb(stem) } else { verb(&format!("{stem}{instead}")) })
    };
    stem("ies", "y")
        .or_else(|| stem("s", ""))
        .or_else(|| stem("es", ""))
        .or_else(|| stem("ing", ""))
        .or_else(|| stem("ing", "e"))
        .or_else(|| {
            // `dropping`, `running`.
            let stem = word.strip_suffix("ing")?;
            let mut letters = stem.chars().rev();
            (letters.next()? == letters.next()?).then(|| verb(stem.get(..stem.len().checked_sub(1)?)?))?
        })
}

/// The verb that a name in a language without blanks begins with.
pub(super) fn unspaced(word: &str) -> Option<Verb> {
    const UNSPACED: &[(Class, &[&str])] = &[
        (Destructive, &["删除", "清空", "移除", "削除", "삭제", "刪除"]),
        (Read, &["获取", "查询", "搜索", "列出", "読み取", "取得", "検索", "조회", "查詢"]),
        (Write, &["创建", "更新", "添加", "修改", "发送", "作成", "追加", "送信", "생성", "建立"]),
        (Execute, &["执行", "运行", "実行", "실행", "執行"]),
    ];
    UNSPACED.iter().find_map(|&(class, words)| {
        let word = words.iter().find(|&&one| word.starts_with(one))?;
        Some(Verb { word, class, sure: 80, noun: false })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_stands_twice() {
        let mut seen = std::collections::HashSet::new();
        for verb in verbs(VERBS, false).chain(verbs(NOUNS, true)) {
            assert!(seen.insert(verb.word), "{}", verb.word);
            assert!((60..100).contains(&verb.sure), "{}", verb.word);
        }
    }

    #[test]
    fn prose_is_inflected() {
        for (word, verb) in [
            ("deletes", "delete"),
            ("copies", "copy"),
            ("running", "run"),
            ("creating", "create"),
            ("fetches", "fetch"),
        ] {
            assert_eq!(inflected(word).map(|found| found.word), Some(verb), "{word}");
        }
        assert!(inflected("deleted").is_none());
    }
}
