//! docs/operations.md says of errors and states what the program does.

use std::fs;
use std::path::Path;

use headwater::error::{Kind, Policy};
use headwater::observe::State;

#[test]
fn errors_are_as_documented() {
    let expected: Vec<String> = Kind::ALL
        .iter()
        .map(|kind| {
            let policy = match kind.policy() {
                Policy::Retry => "retry",
                Policy::Stop => "stop",
            };
            format!("| `{}` | {policy} | {} | {} |", kind.name(), kind.exit_code(), kind.hint())
        })
        .collect();
    let documented = rows("## Errors");
    assert!(
        documented == expected,
        "the table of errors in docs/operations.md should be:\n{}",
        expected.join("\n")
    );
}

#[test]
fn exit_codes_are_documented() {
    let documented: Vec<String> = rows("## Exit codes").iter().map(|row| first_cell(row)).collect();
    for kind in Kind::ALL {
        let code = kind.exit_code().to_string();
        assert!(
            documented.contains(&code),
            "exit code {code} of {} is not in docs/operations.md",
            kind.name()
        );
    }
}

#[test]
fn states_are_as_documented() {
    let documented: Vec<String> = rows("## States").iter().map(|row| first_cell(row)).collect();
    assert_eq!(documented, State::ALL.map(State::name));
}

/// The rows of the first table of a section, without its head.
fn rows(section: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let text = fs::read_to_string(path).unwrap();
    let lines =
        text.lines().skip_while(|line| *line != section).skip_while(|line| !line.starts_with('|')).skip(2);
    lines.take_while(|line| line.starts_with('|')).map(str::to_owned).collect()
}

fn first_cell(row: &str) -> String {
    row.split('|').nth(1).unwrap_or_default().trim().trim_matches('`').to_owned()
}
