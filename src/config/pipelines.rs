//! `[[pipeline]]`: takes the tables out of the files, lays those of one name over each other, and finds the pipeline that
//! a variable or flag is for. What stands at the top of the files is what every pipeline inherits, key by key.
//!
//! A pipeline is told by its name and never by its place: a variable with a password that follows a place would go to
//! another database when somebody puts a table between.

use config::{Map, Value, ValueKind};

use super::layer::Layer;
use super::origin::Origin;
use super::report::{Mistake, Report, closest};
use super::typed::{quote, type_name};

/// The pipelines of all files, in the order in which their names were met; none in a file without `[[pipeline]]`.
#[derive(Default)]
pub(super) struct Pipelines(Vec<Own>);

/// What is said of one pipeline alone.
struct Own {
    /// None when it has none, which is a mistake that is found later.
    name: Option<String>,
    /// Weakest first; the last one is being filled.
    layers: Vec<Layer>,
}

impl Pipelines {
    /// Takes the tables out of one file; what is left is the top.
    pub(super) fn take_out_of(&mut self, file: &mut Map<String, Value>, report: &mut Report) {
        let Some(value) = file.remove(KEY) else { return };
        let origin = Origin::of(&value);
        let (reason, fix) = match value.kind {
            ValueKind::Array(items) if !items.is_empty() => {
                let mut met = Vec::new();
                for item in items {
                    self.add(item, &mut met, report);
                }
                return;
            }
            // A list in YAML whose lines are all commented out.
            ValueKind::Nil => return,
            ValueKind::Array(_) => ("has no table in it".to_owned(), "remove it, or write [[pipeline]]"),
            kind => (
                format!("is {}, not a list of tables", type_name(&kind)),
                "write [[pipeline]], in YAML a list: pipeline: [{name: shop}]",
            ),
        };
        report.add(Mistake::about_key(Some(&origin), KEY, reason, fix));
    }

    /// One table; `met` are the places of the pipelines that this file has named already.
    fn add(&mut self, item: Value, met: &mut Vec<usize>, report: &mut Report) {
        let origin = Origin::of(&item);
        let ValueKind::Table(table) = item.kind else {
            let reason = format!("has {} in it", type_name(&item.kind));
            report.add(Mistake::about_key(Some(&origin), KEY, reason, "write a table with a name for each"));
            return;
        };
        let name = table.get("name").map(|name| name.kind.to_string());
        let known = self.0.iter().position(|own| own.name.is_some() && own.name == name);
        let position = known.unwrap_or(self.0.len());
        if met.contains(&position) {
            let place = table.get("name").map(Origin::of);
            let mistake = Mistake::about_key(
                place.as_ref(),
                &format!("{}name", prefix(position)),
                "is the name of two pipelines in one file",
                "give one of them another name: topics, slot and checkpoint are told apart by it",
            );
            return report.add(mistake.with_value(&quote(&name.unwrap_or_default())));
        }
        met.push(position);
        if known.is_none() {
            self.0.push(Own { name, layers: Vec::new() });
        }
        let mut found = Report::default();
        let layer = Layer::of_file(table, &mut found);
        for (path, value) in layer.iter().filter(|(path, _)| is_of_the_process(path)) {
            found.add(misplaced(path, &Origin::of(value)));
        }
        report.take(found, &prefix(position), |_| false);
        if let Some(own) = self.0.get_mut(position) {
            own.layers.push(layer);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pipelines: their names, where they have one, and their layers, weakest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Option<&str>, &[Layer])> {
        self.0.iter().map(|own| (own.name.as_deref(), own.layers.as_slice()))
    }

    /// Begins a layer of every pipeline, above those that are there.
    pub(super) fn new_layer(&mut self) {
        for own in &mut self.0 {
            own.layers.push(Layer::default());
        }
    }

    /// Fills the layer that was begun last.
    pub(super) fn say(
        &mut self,
        position: usize,
        report: &mut Report,
        say: impl FnOnce(&mut Layer, &mut Report),
    ) {
        let Some(layer) = self.0.get_mut(position).and_then(|own| own.layers.last_mut()) else { return };
        let before = layer.clone();
        let mut found = Report::default();
        say(layer, &mut found);
        for (path, value) in
            layer.iter().filter(|(path, _)| is_of_the_process(path) && before.get(path).is_none())
        {
            found.add(misplaced(path, &Origin::of(value)));
        }
        report.take(found, &prefix(position), |_| false);
    }

    /// The pipeline of `shop__source__slot`, and the rest behind its name. Variables know neither case nor signs.
    pub(super) fn of_variable<'a>(&self, rest: &'a str) -> Result<(usize, &'a str), (String, String)> {
        let as_variable = |name: &str| name.to_ascii_lowercase().replace(['.', '-'], "_");
        let found = self.find(|name| rest.strip_prefix(&as_variable(name))?.strip_prefix("__"));
        found.map_err(|names| match names.as_slice() {
            [] => self.unknown(rest.split("__").next().unwrap_or_default(), as_variable),
            names => (
                format!("may mean the pipelines {}", names.join(" and ")),
                "use --set pipeline.NAME.key=value, or rename one of them".to_owned(),
            ),
        })
    }

    /// The pipeline of `shop.source.slot`, and the rest behind its name; a name may stand in quotes.
    pub(super) fn of_flag<'a>(&self, rest: &'a str) -> Result<(usize, &'a str), (String, String)> {
        let quoted = |name: &str| ["\"", "'"].map(|quote| format!("{quote}{name}{quote}"));
        let found = self.find(|name| {
            let forms = std::iter::once(name.to_owned()).chain(quoted(name));
            forms.into_iter().find_map(|form| rest.strip_prefix(&form)?.strip_prefix('.'))
        });
        found.map_err(|_| self.unknown(rest.split('.').next().unwrap_or_default(), ToOwned::to_owned))
    }

    /// The pipeline whose name leaves the shortest rest: `a` and `a.b` may both be names. Several of the same length are
    /// returned by name.
    fn find<'a>(&self, rest: impl Fn(&str) -> Option<&'a str>) -> Result<(usize, &'a str), Vec<String>> {
        let named =
            self.0.iter().enumerate().filter_map(|(position, own)| Some((position, own.name.as_deref()?)));
        let found: Vec<_> =
            named.filter_map(|(position, name)| Some((position, name, rest(name)?))).collect();
        let shortest = found.iter().map(|(_, _, rest)| rest.len()).min();
        let mut best = found.iter().filter(|(_, _, rest)| Some(rest.len()) == shortest);
        match (best.next(), best.next()) {
            (Some((position, _, rest)), None) => Ok((*position, rest)),
            (Some((_, one, _)), Some((_, other, _))) => Err(vec![(*one).to_owned(), (*other).to_owned()]),
            (None, _) => Err(Vec::new()),
        }
    }

    fn unknown(&self, name: &str, form: impl Fn(&str) -> String) -> (String, String) {
        let names: Vec<String> = self.0.iter().filter_map(|own| own.name.as_deref()).map(form).collect();
        let fix = match closest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near}?"),
            None if names.is_empty() => "the files have no [[pipeline]]: leave that part out".to_owned(),
            None => format!("the pipelines are {}", names.join(", ")),
        };
        (format!("no [[pipeline]] is named {name}"), fix)
    }
}

/// How a key of the pipeline at `position` is named in the report.
pub(super) fn prefix(position: usize) -> String {
    format!("{KEY}[{position}].")
}

/// Whether a key is one of the process and of none of its pipelines.
pub(super) fn is_of_the_process(path: &str) -> bool {
    path.starts_with("admin.") || path.starts_with("log.")
}

fn misplaced(path: &str, origin: &Origin) -> Mistake {
    let fix = format!("write {path} at the top, before the first [[pipeline]]");
    Mistake::about_key(Some(origin), path, "concerns the process and not one of its pipelines", fix)
}

const KEY: &str = "pipeline";
