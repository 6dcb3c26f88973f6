//! The relay between a client that sends anything and a server that may read it in any way: no message that some parser reads as a denied
//! call passes, and what passes is what came.

use std::io::Write as _;
use std::process::{Command, Stdio};

use callgate_tests::messages::{Choices, message};
use callgate_tests::project;
use callgate_tests::relayed::{Relayed, may_read_as_denied, reads_as_denied};
use callgate_tests::sequences;
use callgate_tests::traffic::passes_unchanged;

/// How many messages are sent. Those that reach the server are given to every judge.
const MESSAGES: usize = 200_000;

/// What a parser of another language reads: how many lines, how many calls of `get`, how many denied calls.
const PYTHON: &str = "
import json, sys
read = calls = denied = 0
for line in sys.stdin.buffer.read().replace(b'\\r', b'\\n').split(b'\\n'):
    try: value = json.loads(line)
    except ValueError: continue
    read += 1
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict) or one.get('method') != 'tools/call': continue
        params = one.get('params')
        if not isinstance(params, dict): continue
        args = params.get('arguments')
        amount = args.get('amount') if isinstance(args, dict) else None
        large = isinstance(amount, (int, float)) and amount >= 9
        calls += params.get('name') == 'get'
        denied += params.get('name') == 'pay' or params.get('name') == 'get' and large
print(read, calls, denied)
";
const NODE: &str = "
let read = 0, calls = 0, denied = 0
for (const line of require('fs').readFileSync(0, 'utf8').split(/[\\r\\n]/)) {
  let value
  try { value = JSON.parse(line) } catch { continue }
  read++
  for (const one of Array.isArray(value) ? value : [value]) {
    if (one?.method !== 'tools/call') continue
    const name = one.params?.name
    if (name === 'get') calls++
    if (name === 'pay' || (name === 'get' && one.params.arguments?.amount >= 9)) denied++
  }
}
console.log(read, calls, denied)
";

/// What reaches the server of so many messages.
fn forwarded(count: usize, seed: u64) -> Vec<Vec<u8>> {
    let (mut relay, mut choices) = (Relayed::default(), Choices(seed));
    let (mut forwarded, mut suspects) = (Vec::new(), 0);
    for _ in 0..count {
        let line = message(&mut choices);
        let is_suspect = may_read_as_denied(&line);
        suspects += usize::from(is_suspect);
        let sent = relay.forwarded(&line);
        assert!(sent.is_empty() || !is_suspect, "{}", String::from_utf8_lossy(&line));
        forwarded.extend(sent);
    }
    let enough = forwarded.len() > count / 20 && suspects > count / 4 && relay.decided > count / 20;
    assert!(enough, "{} forwarded, {suspects} suspects, {} decided", forwarded.len(), relay.decided);
    forwarded
}

#[test]
fn no_denied_call_passes_whoever_reads_it() {
    let shares = std::thread::scope(|scope| {
        let shares = [1, 2].map(|seed| scope.spawn(move || forwarded(MESSAGES / 2, seed)));
        shares.map(|share| share.join().unwrap())
    });
    let forwarded: usize = shares.iter().map(Vec::len).sum();
    let mut lines = shares.concat().join(&b'\n');
    lines.push(b'\n');
    // The judges see a denied call where there is one.
    lines.extend_from_slice(
        b"{\"method\":\"ping\",\"method\":\"tools/call\",\"params\":{\"name\":\"pay\"}}\n",
    );
    lines.extend_from_slice(b"{\"method\":\"tools/call\",\"params\":{\"name\":\"get\",\"arguments\":{\"amount\":1,\"amount\":9}}}\n");
    let judges = [("python3", "-c", PYTHON), ("node", "-e", NODE)].map(|(program, option, script)| {
        let mut judge = Command::new(program)
            .args([option, script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        judge.stdin.take().unwrap().write_all(&lines).unwrap();
        let output = judge.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let said: Vec<usize> = said.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let [read, calls, denied] = said[..] else { panic!("{program}: {said:?}") };
        assert_eq!((read, denied), (forwarded + 2, 2), "{program}");
        assert!(calls > MESSAGES / 200, "{program}: {calls} calls");
        calls
    });
    assert_eq!(judges[0], judges[1], "Python and Node read as many calls");
}

/// Messages that Go's `encoding/json` reads as a denied call, and `serde_json` does not: `tests/proof.sh relayed` found them.
#[test]
fn what_go_reads_otherwise_does_not_pass() {
    let finds = std::fs::read(project().join("tests/go-finds.jsonl")).unwrap();
    let mut relay = Relayed::default();
    let mut count = 0;
    for line in finds.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        assert!(
            !reads_as_denied(line) && relay.forwarded(line).is_empty(),
            "{}",
            String::from_utf8_lossy(line)
        );
        count += 1;
    }
    assert!(count > 20, "{count}");
}

#[test]
fn what_is_neither_a_list_nor_denied_comes_out_byte_for_byte() {
    passes_unchanged(100_000, 20_261_129);
}

#[test]
fn in_no_order_does_anything_pass_that_was_not_allowed() {
    sequences::random(5_000, 20_261_130);
}
