//! The walk over the merged tree: every key of it must be in the table of keys, and goes into the [`Settings`] with its
//! type checked. What is unknown becomes a mistake with the name that was probably meant.

use super::keys::{KEYS, SECTIONS, key, split};
use super::librdkafka::usual;
use super::report::{Mistake, Report, closest};
use super::settings::Settings;
use super::tree::{Node, Table, Value};

/// Checks a whole tree.
pub(super) fn check(tree: &Table, report: &mut Report) -> Settings {
    let mut settings = Settings::defaults();
    for (name, node) in &tree.0 {
        if let Some(key) = key(name) {
            settings.take(key, node, report);
        } else if SECTIONS.iter().any(|(section, _)| section == name) {
            check_section(name, node, &mut settings, report);
        } else {
            report.add(unknown(name, node));
        }
    }
    settings
}

fn check_section(section: &str, node: &Node, settings: &mut Settings, report: &mut Report) {
    let table = match &node.value {
        Value::Table(table) => table,
        // A section whose lines are all commented out.
        Value::Null => return,
        other => {
            report.add(Mistake::about_key(
                Some(&node.origin),
                section,
                format!("is a section, not {}", other.type_name()),
                format!("write [{section}] and its keys below, or {section}.key = value"),
            ));
            return;
        }
    };
    for (name, node) in &table.0 {
        let path = format!("{section}.{name}");
        match key(&path) {
            Some(key) => settings.take(key, node, report),
            None => report.add(unknown(&path, node)),
        }
    }
}

fn unknown(path: &str, node: &Node) -> Mistake {
    let (section, name) = split(path);
    let alike = name.replace('-', "_").to_ascii_lowercase();
    let within = KEYS.iter().map(|key| key.path).filter(|path| split(path).0 == section);
    let elsewhere = KEYS.iter().map(|key| key.path).find(|path| split(path).1 == alike);
    let sections = SECTIONS.iter().map(|(section, _)| *section).filter(|_| section.is_empty());
    let near = closest(&alike, within.map(|path| split(path).1).chain(sections))
        .map(|name| if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") })
        .or_else(|| elsewhere.map(str::to_owned))
        .or_else(|| {
            let section = closest(section, SECTIONS.iter().map(|(section, _)| *section))?;
            key(&format!("{section}.{name}")).map(|key| key.path.to_owned())
        });
    let fix = match near {
        Some(near) => format!("did you mean {near}?"),
        None if section == "kafka" => match usual(name) {
            Some(property) => format!("did you mean \"{property}\" under [kafka.properties]?"),
            None => "properties of librdkafka go under [kafka.properties]".to_owned(),
        },
        None => "remove it; `headwater config defaults` prints every key".to_owned(),
    };
    let reason = if matches!(node.value, Value::Table(_)) { "unknown section" } else { "unknown key" };
    Mistake::about_key(Some(&node.origin), path, reason, fix)
}
