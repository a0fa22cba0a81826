//! Patterns of `source.tables`, `source.columns` and their like, compiled once and asked once per relation. A pattern is
//! taken apart at its dots into schema, table and, for columns, column, and each part is held against its name alone: no
//! wildcard reaches over the dot between two names. The last part takes the rest, dots and all. Between slashes stands a
//! regular expression instead, as Debezium's lists have them: for the names with dots between them, whole, without regard
//! to case.

use regex::Regex;

use crate::error::{Error, Kind, Result};

/// `source.tables` without `source.exclude_tables`.
#[derive(Clone, Debug)]
pub struct TablePatterns {
    include: Patterns<2>,
    exclude: Patterns<2>,
}

impl TablePatterns {
    /// Compiles both lists.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        Ok(Self { include: Patterns::compile(include)?, exclude: Patterns::compile(exclude)? })
    }

    /// Whether the table is captured.
    #[must_use]
    pub fn matches(&self, schema: &str, table: &str) -> bool {
        self.include.matches([schema, table]) && !self.exclude.matches([schema, table])
    }

    /// The patterns of `source.tables` that match none of `tables`.
    pub fn unmatched(&self, tables: &[(&str, &str)]) -> Vec<&str> {
        let idle =
            |pattern: &&Pattern<2>| !tables.iter().any(|(schema, table)| pattern.matches([schema, table]));
        self.include.0.iter().filter(idle).map(|pattern| pattern.text.as_str()).collect()
    }
}

/// A list of patterns of names with `N` parts; it matches what any of them matches.
#[derive(Clone, Debug)]
pub struct Patterns<const N: usize>(Vec<Pattern<N>>);

impl<const N: usize> Patterns<N> {
    /// Compiles `patterns`.
    ///
    /// # Errors
    /// [`Kind::Config`] for a pattern of fewer parts, or one too large.
    pub fn compile(patterns: &[String]) -> Result<Self> {
        patterns.iter().map(|text| Pattern::new(text)).collect::<Result<_>>().map(Self)
    }

    /// Whether there is no pattern.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a pattern matches each of `names`.
    #[must_use]
    pub fn matches(&self, names: [&str; N]) -> bool {
        self.0.iter().any(|pattern| pattern.matches(names))
    }
}

/// One pattern.
#[derive(Clone, Debug)]
struct Pattern<const N: usize> {
    text: String,
    form: Form<N>,
}

#[derive(Clone, Debug)]
enum Form<const N: usize> {
    Parts([Regex; N]),
    /// For all names together.
    Whole(Regex),
}

/// The regular expression of a pattern that is one.
pub(super) fn expression(pattern: &str) -> Option<&str> {
    pattern.strip_prefix('/')?.strip_suffix('/')
}

/// Whether it is an expression that can be compiled, or has so many parts and all of them.
pub(super) fn is_sound(pattern: &str, parts: usize) -> bool {
    match expression(pattern) {
        Some(expression) => whole(expression).is_ok(),
        None => pattern.split('.').count() >= parts && pattern.split('.').all(|part| !part.is_empty()),
    }
}

/// Compiles a regular expression for whole names, in which case does not count.
pub(crate) fn whole(expression: &str) -> Result<Regex, regex::Error> {
    // The expression by itself first, so that a parenthesis too many is not closed by ours.
    Regex::new(expression)?;
    Regex::new(&format!("(?si)^(?:{expression})$"))
}

impl<const N: usize> Pattern<N> {
    fn new(text: &str) -> Result<Self> {
        if let Some(expression) = expression(text) {
            let form = whole(expression).map(Form::Whole).map_err(|error| {
                Error::new(Kind::Config, format!("{text:?} is no regular expression")).with_source(error)
            })?;
            return Ok(Self { text: text.to_owned(), form });
        }
        let parts = text.splitn(N, '.').map(glob).collect::<Result<Vec<_>, _>>().map_err(|error| {
            Error::new(Kind::Config, format!("the pattern {text:?} is too large")).with_source(error)
        })?;
        let parts = parts.try_into().map_err(|_| {
            let detail = format!("the pattern {text:?} has fewer than {N} parts with dots between them");
            Error::new(Kind::Config, detail)
        })?;
        Ok(Self { text: text.to_owned(), form: Form::Parts(parts) })
    }

    fn matches(&self, names: [&str; N]) -> bool {
        match &self.form {
            Form::Parts(parts) => parts.iter().zip(names).all(|(part, name)| part.is_match(name)),
            // Messages have one, and each of them asks.
            Form::Whole(expression) => match names.as_slice() {
                [name] => expression.is_match(name),
                names => expression.is_match(&names.join(".")),
            },
        }
    }
}

/// `*` stands for any characters, `?` for one, all else for itself.
fn glob(part: &str) -> Result<Regex, regex::Error> {
    let literal = regex::escape(part);
    Regex::new(&format!("(?s)^{}$", literal.replace(r"\*", ".*").replace(r"\?", ".")))
}

/// Whether one table may be captured by both of two pairs of lists, `source.tables` and `source.exclude_tables`. Never
/// wrong about a yes that matters: it says no only when no name can match both.
pub(super) fn may_overlap(one: (&[String], &[String]), other: (&[String], &[String])) -> bool {
    let left_out = |pattern: &str, list: &[String]| list.iter().any(|excluded| covers(excluded, pattern));
    one.0.iter().any(|mine| {
        other.0.iter().any(|theirs| {
            let kept = |pattern: &str| !left_out(pattern, one.1) && !left_out(pattern, other.1);
            // What two regular expressions have in common is not looked into.
            let is_expression = expression(mine).or(expression(theirs)).is_some();
            let meet = || parts(mine).zip(parts(theirs)).all(|(a, b)| meet(a, b));
            kept(mine) && kept(theirs) && (is_expression || meet())
        })
    })
}

fn parts(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.splitn(2, '.')
}

/// Whether everything that `inner` matches is matched by `outer`: a wildcard of `inner` is a character that only a
/// wildcard of `outer` takes.
fn covers(outer: &str, inner: &str) -> bool {
    if expression(outer).or(expression(inner)).is_some() {
        return outer == inner;
    }
    let takes = |outer: &str, inner: &str| match outer {
        // One character does not stand for any number of them.
        outer if outer.contains('?') => outer == inner,
        outer => glob(outer).is_ok_and(|outer| outer.is_match(inner)),
    };
    parts(outer).zip(parts(inner)).all(|(outer, inner)| takes(outer, inner))
}

/// Whether a text matches both globs, by the set of places in `b` that the beginnings of `a` can stand at.
fn meet(a: &str, b: &str) -> bool {
    let b: Vec<char> = b.chars().collect();
    // Whether `a` up to here and `b` up to each place can match one text.
    let mut reached: Vec<bool> = (0..=b.len()).map(|end| b.iter().take(end).all(|c| *c == '*')).collect();
    for here in a.chars() {
        let mut next = vec![false; b.len() + 1];
        for end in 0..=b.len() {
            let last = end.checked_sub(1).and_then(|end| b.get(end));
            let at = |set: &[bool], end: usize| set.get(end).copied().unwrap_or_default();
            let before = |set: &[bool]| end > 0 && at(set, end - 1);
            let hit = match (here, last) {
                ('*', _) => at(&reached, end) || before(&next),
                (_, Some('*')) => before(&next) || at(&reached, end),
                (_, Some(c)) => before(&reached) && (here == *c || here == '?' || *c == '?'),
                (_, None) => false,
            };
            if let Some(place) = next.get_mut(end) {
                *place = hit;
            }
        }
        reached = next;
    }
    reached.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn tables() {
        let patterns = TablePatterns::new(
            &own(&["public.*", "sales.order_?", "a+b.t", r"c\*.t"]),
            &own(&["public.tmp_*"]),
        )
        .unwrap();
        for (schema, table, expected) in [
            ("public", "users", true),
            ("public", "dotted.name", true),
            ("public", "tmp_1", false),
            ("public2", "users", false),
            ("sales", "order_1", true),
            ("sales", "order_ü", true),
            ("sales", "order_10", false),
            ("sales.order_1", "", false),
            ("a+b", "t", true),
            ("aab", "t", false),
            (r"c\d", "t", true),
            ("c*", "t", false),
        ] {
            assert_eq!(patterns.matches(schema, table), expected, "{schema}.{table}");
        }
    }

    #[test]
    fn columns_keep_to_their_tables() {
        let patterns = Patterns::compile(&own(&["public.a*.id", "public.b?c.x.y", "*.*.secret"])).unwrap();
        for (names, expected) in [
            (["public", "a", "id"], true),
            (["public", "abc", "id"], true),
            (["public", "a", "b.id"], false),
            (["public", "a.b", "id"], true),
            (["public", "b.c", "x.y"], true),
            (["public", "b.c", "y"], false),
            (["any", "table", "secret"], true),
            (["any", "table", "not.secret"], false),
        ] {
            assert_eq!(patterns.matches(names), expected, "{names:?}");
        }
    }

    #[test]
    fn expressions_stand_for_whole_names_in_any_case() {
        let patterns = TablePatterns::new(&own(&[r"/public\.(a|b)_\d+/"]), &own(&[r"/.*_9+/"])).unwrap();
        for (table, expected) in
            [("a_1", true), ("B_2", true), ("c_1", false), ("a_1x", false), ("a_99", false)]
        {
            assert_eq!(patterns.matches("public", table), expected, "{table}");
        }
        let columns = Patterns::compile(&own(&[r"/.*\.ssn/"])).unwrap();
        assert!(columns.matches(["public", "a", "ssn"]) && !columns.matches(["public", "a", "ssn2"]));
        assert!(TablePatterns::new(&own(&["/a)(b/"]), &[]).is_err());
        let list = |pattern: &str| own(&[pattern]);
        assert!(may_overlap((&list("/a/"), &[]), (&list("b.c"), &[])));
        assert!(!may_overlap((&list("/a/"), &list("/a/")), (&list("b.c"), &[])));
    }

    #[test]
    fn names_the_patterns_that_match_nothing() {
        let patterns = TablePatterns::new(&own(&["public.*", "sales.*"]), &[]).unwrap();
        assert_eq!(patterns.unmatched(&[("public", "a")]), ["sales.*"]);
    }

    #[test]
    fn globs_that_meet() {
        for (a, b, expected) in [
            ("orders", "orders", true),
            ("orders", "order", false),
            ("*", "orders", true),
            ("a*", "*b", true),
            ("a*", "b*", false),
            ("*a", "*b", false),
            ("a*c", "a?c", true),
            ("a??", "ab", false),
            ("?", "", false),
            ("*", "", true),
            ("**", "*?*", true),
            ("a*b*c", "*c?c", true),
        ] {
            assert_eq!((meet(a, b), meet(b, a)), (expected, expected), "{a} {b}");
        }
    }

    #[test]
    fn groups_of_tables_are_told_apart() {
        for (one, but_one, other, but_other, expected) in [
            (&["public.*"][..], &[][..], &["public.*"][..], &[][..], true),
            (&["public.*"], &[], &["sales.*"], &[], false),
            (&["public.*"], &["public.orders"], &["public.orders"], &[], false),
            (&["public.orders", "public.lines"], &[], &["*.*"], &["public.orders", "public.l*"], false),
            (&["public.orders", "public.lines"], &[], &["*.*"], &["public.orders"], true),
            (&["public.o*"], &[], &["public.*"], &["public.o?"], true),
            (&["public.o?"], &[], &["public.*"], &["public.o?"], false),
            (&["public.o*"], &[], &["public.*"], &["public.o*"], false),
            (&["public.o*"], &[], &["public.*"], &["public.orders"], true),
        ] {
            let lists = [one, but_one, other, but_other].map(own);
            let found = may_overlap((&lists[0], &lists[1]), (&lists[2], &lists[3]));
            let turned = may_overlap((&lists[2], &lists[3]), (&lists[0], &lists[1]));
            assert_eq!((found, turned), (expected, expected), "{lists:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_name_that_both_match_makes_them_overlap(one in "[ab*?]{0,5}", other in "[ab*?]{0,5}", but in "[ab*?]{0,4}", name in "[ab]{0,6}") {
            let list = |glob: &str| vec![format!("s.{glob}")];
            let (one, other, but) = (list(&one), list(&other), list(&but));
            let both = TablePatterns::new(&one, &but).unwrap().matches("s", &name)
                && TablePatterns::new(&other, &[]).unwrap().matches("s", &name);
            proptest::prop_assert!(!both || may_overlap((&one, &but), (&other, &[])));
        }
    }

    #[test]
    fn wants_every_part() {
        assert!(TablePatterns::new(&own(&["users"]), &[]).is_err());
        assert!(Patterns::<3>::compile(&own(&["public.users"])).is_err());
    }
}
