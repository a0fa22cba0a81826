//! The arrows of ARCHITECTURE.md, held by a test: which module may name which, and what the stages without I/O may not
//! name at all. It reads the sources as text, as a person would: every path in the code, with nested `use` trees taken
//! apart and `super::` resolved. Comments, strings and what is only compiled for tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// From a module to what it may name, beside itself. The longest matching entry on the left rules a file; an entry on
/// the right stands for everything below it. A stage names only the stages before it; `run` names them all.
const ARROWS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("allocator", &[]),
    ("flat", &["modes"]),
    ("lsn", &[]),
    ("masks", &[]),
    ("modes", &[]),
    ("obstacle", &[]),
    ("config", &["error", "flat", "masks", "modes"]),
    ("source", &["error", "lsn", "obstacle", "config"]),
    // A disk beside the stream: it keeps messages without reading them.
    ("spool", &["lsn"]),
    ("decode", &["error", "lsn"]),
    // Of the source, later stages see the shapes of tables and types.
    ("event", &["error", "lsn", "masks", "config", "decode", "source::catalog"]),
    ("encode", &["error", "flat", "lsn", "masks", "modes", "decode", "event", "source::catalog"]),
    ("sink", &["error", "obstacle", "config", "event", "encode"]),
    ("checkpoint", &["error", "lsn", "config", "sink"]),
    // Translates what others left; what becomes of it is the business of `cli` and `run`.
    ("import", &["error", "flat", "lsn", "modes", "config", "sink"]),
    // Counts what the stages tell through `run`; no stage before the sink may know that it is counted.
    ("observe", &["error", "lsn", "config", "event"]),
    ("run", ALL),
    ("cli", ALL),
    ("main", ALL),
    ("lib", ALL),
];

/// For the modules that wire the others.
const ALL: &[&str] = &["*"];

/// Files and directories under src/ that do no I/O and read no clock: time comes in as a value.
const PURE: &[&str] = &[
    "decode/",
    "event/",
    "encode/",
    "checkpoint/ledger.rs",
    "checkpoint/position.rs",
    "run/backoff.rs",
    "run/fallback.rs",
    "run/feedback.rs",
    "run/group.rs",
    "run/heartbeat.rs",
    "run/locate.rs",
    "run/pace.rs",
    "run/reconcile.rs",
    "run/translate.rs",
    "run/snapshot/rows.rs",
    "source/frame.rs",
    "spool/blocks.rs",
    "spool/entry.rs",
    "spool/log.rs",
];

/// What those may not name.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "rand",
    "rdkafka",
    "rustix",
    "rustls",
    "tokio",
    "tokio_postgres",
];

#[test]
fn no_module_names_one_downstream() {
    let tree = sources();
    let found: Vec<String> = tree.iter().flat_map(|(path, text)| against_the_arrows(path, text)).collect();
    assert!(found.is_empty(), "against the arrows of ARCHITECTURE.md:\n{}", found.join("\n"));
}

#[test]
fn stages_without_io_name_no_io() {
    let tree = sources();
    for pure in PURE {
        assert!(
            tree.keys().any(|path| path.starts_with(pure)),
            "src/{pure} is listed as pure but does not exist"
        );
    }
    let found: Vec<String> = tree.iter().flat_map(|(path, text)| impure(path, text)).collect();
    assert!(found.is_empty(), "a stage without I/O names some:\n{}", found.join("\n"));
}

#[test]
fn every_arrow_is_used() {
    let mut used = BTreeSet::new();
    for (path, text) in &sources() {
        let module = module_of(path);
        let Some((rule, allowed)) = rule_of(&module) else { continue };
        for (_, target) in crate_paths(&module, text) {
            used.extend(allowed.iter().filter(|arrow| is_below(&target, arrow)).map(|arrow| (rule, *arrow)));
        }
    }
    let unused: Vec<_> = ARROWS
        .iter()
        .filter(|(_, allowed)| *allowed != ALL)
        .flat_map(|(rule, allowed)| allowed.iter().map(|arrow| (*rule, *arrow)))
        .filter(|arrow| !used.contains(arrow))
        .collect();
    assert!(unused.is_empty(), "nothing uses these arrows any more, take them out: {unused:?}");
}

#[test]
fn the_table_has_no_cycle() {
    // An arrow to a part of a module is one to the module.
    let next = |from: &str| -> Vec<&str> {
        let allowed = ARROWS.iter().find(|(rule, _)| *rule == from).map_or(&[][..], |(_, allowed)| allowed);
        ARROWS
            .iter()
            .map(|(rule, _)| *rule)
            .filter(|rule| allowed.iter().any(|arrow| is_below(arrow, rule)))
            .collect()
    };
    for (start, _) in ARROWS {
        let mut reached = BTreeSet::new();
        let mut open = next(start);
        while let Some(module) = open.pop() {
            assert_ne!(module, *start, "arrows lead from {start} back to it");
            if reached.insert(module) {
                open.extend(next(module));
            }
        }
    }
}

#[test]
fn finds_a_planted_arrow() {
    let found = |path: &str, text: &str| against_the_arrows(path, text).len();
    assert_eq!(found("decode/parse.rs", "use crate::sink::Sink;"), 1);
    assert_eq!(found("decode/parse.rs", "use crate::{error::Error, event::{self, Event}};"), 2);
    assert_eq!(found("event/route.rs", "fn f() { crate::observe::count(); }"), 1);
    assert_eq!(found("event/route.rs", "use super::super::encode::Records;"), 1);
    assert_eq!(found("event/model.rs", "use crate::source::slot::SlotState;"), 1);
    assert_eq!(found("event/model.rs", "use crate::source::{catalog::TypeDetails, Frame};"), 1);
    assert_eq!(found("sink/mod.rs", "use crate::*;"), 1);
    assert_eq!(found("nowhere/mod.rs", "use crate::error::Error;"), 1);
    assert_eq!(
        against_the_arrows("sink/kafka.rs", "\n\nuse crate::run::Session;"),
        ["src/sink/kafka.rs:3: sink names run::Session"]
    );
}

#[test]
fn finds_planted_io() {
    let found = |path: &str, text: &str| impure(path, text).len();
    assert_eq!(found("decode/reader.rs", "use std::{fmt, net::TcpStream};"), 1);
    assert_eq!(found("event/assembler.rs", "fn f() { let now = Instant::now(); }"), 1);
    assert_eq!(found("encode/writer.rs", "fn f() { std::time::SystemTime::now(); }"), 1);
    assert_eq!(found("checkpoint/ledger.rs", "async fn f() { tokio::fs::read(\"x\").await; }"), 1);
    assert_eq!(found("checkpoint/file.rs", "use std::fs;"), 0, "not a pure file");
    assert_eq!(found("run/pace.rs", "use std::time::{Duration, Instant};\nfn f(now: Instant) {}"), 0);
}

#[test]
fn passes_over_comments_strings_and_tests() {
    let text = r##"
        //! Not like crate::sink.
        /* nor /* crate::run */ crate::sink */
        const A: &str = "crate::sink::Sink \" crate::run";
        const B: &str = r#"crate::sink" "#;
        const C: char = '"'; fn f<'a>(x: &'a str) -> &'a str { x }
        #[cfg(test)]
        use crate::run::Session;
        #[cfg(any(test, fuzzing))]
        #[allow(dead_code)]
        mod tests { use crate::sink::Sink; fn g() { if true { crate::run::f() } } }
        use crate::error::Error;
    "##;
    assert_eq!(against_the_arrows("decode/parse.rs", text), Vec::<String>::new());
    assert_eq!(against_the_arrows("decode/parse.rs", &format!("{text} use crate::sink::A;")).len(), 1);
    assert_eq!(against_the_arrows("decode/parse.rs", "#[cfg(not(test))] use crate::sink::A;").len(), 1);
    assert_eq!(
        test_modules("#[cfg(test)]\nmod captured;\nmod parse;\n#[cfg(test)] pub(crate) mod b;"),
        ["captured", "b"]
    );
}

/// Each path from a file that its module may not name.
fn against_the_arrows(path: &str, text: &str) -> Vec<String> {
    let module = module_of(path);
    let Some((rule, allowed)) = rule_of(&module) else {
        return vec![format!("src/{path}: its module is not in the table of tests/arrows.rs")];
    };
    if allowed == ALL {
        return Vec::new();
    }
    crate_paths(&module, text)
        .into_iter()
        .filter(|(_, target)| !is_below(target, rule) && !allowed.iter().any(|arrow| is_below(target, arrow)))
        .map(|(line, target)| format!("src/{path}:{line}: {rule} names {target}"))
        .collect()
}

/// Each path from a pure file that does I/O or reads a clock.
fn impure(path: &str, text: &str) -> Vec<String> {
    if !PURE.iter().any(|pure| path.starts_with(pure)) {
        return Vec::new();
    }
    // A clock is read by the name of its type alone as well.
    let reads_clock = |named: &str, io: &str| named.ends_with("::now") && io.ends_with(&format!("::{named}"));
    let names_io = |named: &str| IMPURE.iter().any(|io| is_below(named, io) || reads_clock(named, io));
    paths(&code_of(text))
        .into_iter()
        .filter(|(_, named)| names_io(named))
        .map(|(line, named)| format!("src/{path}:{line}: {named}"))
        .collect()
}

/// Paths of the crate that a file names, as `module::item`, with their lines.
fn crate_paths(module: &[String], text: &str) -> Vec<(usize, String)> {
    let resolve = |path: &str| -> Option<String> {
        let mut rest = path.strip_prefix("self::").unwrap_or(path);
        if let Some(absolute) = rest.strip_prefix("crate::") {
            return Some(absolute.to_owned());
        }
        let mut depth = module.len();
        while let Some(shorter) = rest.strip_prefix("super::") {
            rest = shorter;
            depth = depth.checked_sub(1)?;
        }
        (depth < module.len())
            .then(|| [module.get(..depth).unwrap_or_default(), &[rest.to_owned()]].concat().join("::"))
    };
    paths(&code_of(text)).into_iter().filter_map(|(line, path)| Some((line, resolve(&path)?))).collect()
}

/// `decode/parse.rs` is module `decode::parse`, `decode/mod.rs` is `decode`.
fn module_of(path: &str) -> Vec<String> {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    stem.strip_suffix("/mod").unwrap_or(stem).split('/').map(str::to_owned).collect()
}

/// The longest entry of the table that a module lies below.
fn rule_of(module: &[String]) -> Option<(&'static str, &'static [&'static str])> {
    let module = module.join("::");
    let rules = ARROWS.iter().filter(|(rule, _)| is_below(&module, rule));
    rules.max_by_key(|(rule, _)| rule.len()).copied()
}

fn is_below(path: &str, ancestor: &str) -> bool {
    path.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Every file under src/ that is compiled outside tests, by its path there.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut tree = BTreeMap::new();
    collect(&root, &root, &mut tree);
    let for_tests: Vec<String> = tree
        .iter()
        .flat_map(|(path, text)| {
            let directory = match module_of(path).join("/").as_str() {
                "lib" | "main" => String::new(),
                module => format!("{module}/"),
            };
            test_modules(text).into_iter().map(move |name| format!("{directory}{name}"))
        })
        .collect();
    tree.retain(|path, _| {
        let module = module_of(path).join("/");
        !for_tests.iter().any(|test| module == *test || module.starts_with(&format!("{test}/")))
    });
    assert!(tree.contains_key("lib.rs"), "no sources under {}", root.display());
    tree
}

fn collect(root: &Path, directory: &Path, tree: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, tree);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            tree.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

/// Names of the modules in files of their own that are only compiled for tests.
fn test_modules(text: &str) -> Vec<String> {
    let code = without_comments_and_strings(text);
    let mut names = Vec::new();
    for (_, item) in test_items(&code) {
        let words: Vec<&str> = code[item].split_whitespace().collect();
        if let [.., "mod", name] = words.as_slice() {
            names.extend(name.strip_suffix(';').map(str::to_owned));
        }
    }
    names
}

/// The text with comments, strings and items for tests blanked out; lines stay where they are.
fn code_of(text: &str) -> String {
    let mut code = without_comments_and_strings(text).into_bytes();
    let items: Vec<_> = test_items(std::str::from_utf8(&code).unwrap()).collect();
    for (start, item) in items {
        blank(&mut code[start..item.end]);
    }
    String::from_utf8(code).unwrap()
}

/// Where each `#[cfg(…test…)]` begins, and the range of the item behind it.
fn test_items(code: &str) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let start = from + code[from..].find("#[cfg(")?;
            let mut at = start + closed(&code[start..], '[', ']')?;
            from = at;
            let condition = &code[start..at];
            let words: Vec<&str> = condition.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            if !words.contains(&"test") || words.contains(&"not") {
                continue;
            }
            at += code[at..].len() - code[at..].trim_start().len();
            while code[at..].starts_with("#[") {
                at += closed(&code[at..], '[', ']')?;
                at += code[at..].len() - code[at..].trim_start().len();
            }
            let semicolon = code[at..].find(';').map(|offset| offset + 1);
            let brace = code[at..].find('{');
            let len = match (semicolon, brace) {
                (Some(semicolon), Some(brace)) if semicolon < brace => semicolon,
                (_, Some(brace)) => brace + closed(&code[at + brace..], '{', '}')?,
                (semicolon, None) => semicolon?,
            };
            from = at + len;
            return Some((start, at..from));
        }
    })
}

/// Bytes up to and with the bracket that closes the first one.
fn closed(code: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth -= 1;
            if depth == 0 {
                return Some(at + 1);
            }
        }
    }
    None
}

fn without_comments_and_strings(text: &str) -> String {
    let mut code = text.as_bytes().to_vec();
    let mut at = 0;
    while at < code.len() {
        let rest = &text.as_bytes()[at..];
        let before = at.checked_sub(1).map(|index| text.as_bytes()[index]);
        let len = match rest {
            [b'/', b'/', ..] => rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => block_comment(rest),
            [b'"', ..] => quoted(rest, b'"'),
            [b'r', b'"' | b'#', ..] if !before.is_some_and(is_word) || before == Some(b'b') => {
                raw_string(rest)
            }
            // A lifetime is a quote without its partner two characters on.
            [b'\'', b'\\', ..] => quoted(rest, b'\''),
            [b'\'', ..] => char_literal(&text[at..]),
            _ => 0,
        };
        blank(&mut code[at..at + len]);
        at += len.max(1);
    }
    String::from_utf8(code).unwrap()
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// Zero when it is not a string but, for example, `r#type`.
fn raw_string(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let end = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let body = &rest[2 + hashes..];
    let len = body.windows(end.len()).position(|window| window == end).unwrap_or(body.len());
    (2 + hashes + len + end.len()).min(rest.len())
}

fn char_literal(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(2);
    match chars.next() {
        Some((at, '\'')) => at + 1,
        _ => 0,
    }
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Every path in the code with its line; `use a::{b, c::d}` gives `a::b` and `a::c::d`.
fn paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < code.len() {
        let byte = code.as_bytes()[at];
        if is_word(byte) {
            let mut named = Vec::new();
            let end = at + path_tree(&code[at..], "", &mut named);
            found.extend(named.into_iter().map(|path| (line, path)));
            line += code[at..end].matches('\n').count();
            at = end;
        } else {
            line += usize::from(byte == b'\n');
            at += 1;
        }
    }
    found
}

/// Reads one path, or one branch of a `use` tree, and returns how many bytes it took.
fn path_tree(code: &str, prefix: &str, named: &mut Vec<String>) -> usize {
    let word = code.bytes().take_while(|b| is_word(*b)).count();
    let path = match (prefix, &code[..word]) {
        ("", word) => word.to_owned(),
        (prefix, "self") => prefix.to_owned(),
        (prefix, word) => format!("{prefix}::{word}"),
    };
    let spaces = |from: usize| code[from..].len() - code[from..].trim_start().len();
    let separator = word + spaces(word);
    if !code[separator..].starts_with("::") {
        named.push(path);
        return word;
    }
    let mut at = separator + 2;
    at += spaces(at);
    match code.as_bytes().get(at) {
        Some(b'{') => {
            at += 1;
            while at < code.len() && code.as_bytes()[at] != b'}' {
                if is_word(code.as_bytes()[at]) {
                    at += path_tree(&code[at..], &path, named);
                } else if code.as_bytes()[at] == b'*' {
                    named.push(path.clone());
                    at += 1;
                } else {
                    at += 1;
                }
            }
            (at + 1).min(code.len())
        }
        Some(b) if is_word(*b) => at + path_tree(&code[at..], &path, named),
        // A glob, or the turbofish of a function.
        _ => {
            named.push(if code[at..].starts_with('*') { format!("{path}::*") } else { path });
            at
        }
    }
}
