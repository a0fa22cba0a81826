//! What the documents point at exists: relative links with their anchors, paths of the repository wherever they are
//! named, and a line in the code map of ARCHITECTURE.md for every source file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A word that begins with one of these is a path from the root of the repository.
const DIRECTORIES: &[&str] = &[
    ".ci/",
    "bench/",
    "benches/",
    "config/",
    "docker/",
    "docs/",
    "examples/",
    "fuzz/",
    "grafana/",
    "scripts/",
    "src/",
    "tests/",
];

#[test]
fn links_lead_somewhere() {
    let broken = each_document(|name, text| {
        let exists = |target: &str| resolve(name, target).exists();
        let headings =
            |target: &str| headings(&fs::read_to_string(resolve(name, target)).unwrap_or_default());
        broken_links(text, exists, headings)
    });
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn paths_exist() {
    let broken = each_document(|name, text| {
        // What was is not what is.
        if name == "CHANGELOG.md" {
            Vec::new()
        } else {
            missing_paths(text, |path| root().join(path).exists())
        }
    });
    assert!(broken.is_empty(), "paths that do not exist:\n{}", broken.join("\n"));
}

#[test]
fn every_source_file_is_on_the_map() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let files = files_below(&root().join("src"), "rs");
    assert!(files.len() > 10, "only {} source files found", files.len());
    let absent: Vec<String> = files
        .iter()
        .map(|file| name_of(file))
        .filter(|name| !map.lines().any(|line| line.starts_with(&format!("- `{name}`: "))))
        .collect();
    assert!(absent.is_empty(), "no line in the code map of ARCHITECTURE.md:\n{}", absent.join("\n"));
}

#[test]
fn finds_planted_faults() {
    let text = "# A b\n[ok](there.md) [anchor](there.md#a-b) [own](#a-b) [web](https://example.org/x)\n\
        ```\n[not a link](gone.md)\n```\n[bad](gone.md) [bad](there.md#c) [bad](#c)";
    let broken = broken_links(text, |target| target == "there.md", |_| headings("## `A` b\n"));
    assert_eq!(broken, ["gone.md", "there.md#c", "#c"]);
    let text = "See `src/here.rs`, (src/gone.rs). Run `scripts/gone --once`; `src/*.rs`, mysrc/gone and https://a/src/gone.";
    assert_eq!(missing_paths(text, |path| path == "src/here.rs"), ["src/gone.rs", "scripts/gone"]);
}

/// Targets of the links outside code blocks that lead nowhere.
fn broken_links(
    text: &str,
    exists: impl Fn(&str) -> bool,
    anchors: impl Fn(&str) -> Vec<String>,
) -> Vec<String> {
    let prose = without_code_blocks(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let leads_nowhere = |target: &&str| {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        if !path.is_empty() && !exists(path) {
            return true;
        }
        let known = || if path.is_empty() { headings(text) } else { anchors(path) };
        !anchor.is_empty()
            && (path.is_empty() || Path::new(path).extension().is_some_and(|found| found == "md"))
            && !known().iter().any(|known| known == anchor)
    };
    targets.filter(|target| !target.contains("://")).filter(leads_nowhere).map(str::to_owned).collect()
}

/// Words that are paths of the repository and lead nowhere, in code blocks too.
fn missing_paths(text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let outside = |c: char| c.is_whitespace() || "`\"'()[]<>|,;".contains(c);
    text.split(outside)
        .map(|word| word.trim_end_matches(['.', ':']))
        .filter(|word| DIRECTORIES.iter().any(|directory| word.starts_with(directory)))
        .filter(|word| word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c)))
        .filter(|word| !exists(word))
        .map(str::to_owned)
        .collect()
}

/// Anchors as GitHub makes them of headings.
fn headings(text: &str) -> Vec<String> {
    let prose = without_code_blocks(text);
    let lines = prose.lines().filter(|line| line.starts_with('#'));
    lines.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn without_code_blocks(text: &str) -> String {
    let mut inside = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Faults of every document of the repository, each with the document's name.
fn each_document(check: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
    let mut documents = BTreeMap::new();
    for file in files_below(&root(), "md") {
        documents.insert(name_of(&file), fs::read_to_string(&file).unwrap());
    }
    assert!(documents.contains_key("README.md"), "no README.md in {}", root().display());
    let faults = documents.iter().flat_map(|(name, text)| {
        check(name, text).into_iter().map(move |fault| format!("{name}: {fault}")).collect::<Vec<_>>()
    });
    faults.collect()
}

/// Files with the extension, without what is hidden or built.
fn files_below(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() {
            if !name.starts_with(['.', '$']) && name != "target" {
                files.extend(files_below(&path, extension));
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files
}

fn resolve(document: &str, target: &str) -> PathBuf {
    root().join(document).parent().unwrap().join(target)
}

fn name_of(file: &Path) -> String {
    file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
