//! Debezium's lists: regular expressions for whole names, between commas, in any case. What is a plain name, or a name with
//! `.*` in it, becomes one of Headwater's patterns; anything else stays a regular expression, between slashes.

use crate::config::whole_expression as whole;

/// Takes a list apart at its commas; one behind a backslash belongs to its expression.
pub(crate) fn split(list: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in list.chars() {
        if c == ',' && !escaped {
            parts.push(String::new());
            continue;
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    parts.iter().map(|part| part.trim().replace("\\,", ",")).filter(|part| !part.is_empty()).collect()
}

/// The patterns of `names` parts that mean what a list means, and what is wrong with those that cannot be had. Those are
/// in the list all the same: a file that has them is refused, where one without them would capture something else.
pub(crate) fn patterns(list: &str, names: usize) -> (Vec<String>, Vec<String>) {
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for part in split(list) {
        refused.extend(compile(&part).err());
        taken.push(glob(&part, names).unwrap_or_else(|| format!("/{part}/")));
    }
    (taken, refused)
}

/// Patterns for all tables of the schemas that a list means.
pub(crate) fn tables_of(schemas: &str) -> (Vec<String>, Vec<String>) {
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for part in split(schemas) {
        refused.extend(compile(&part).err());
        taken.push(match glob(&part, 1) {
            Some(schema) => format!("{schema}.*"),
            None => format!("/(?:{part})\\..*/"),
        });
    }
    (taken, refused)
}

/// Patterns of whole texts, such as prefixes, in which dots are nothing special.
pub(crate) fn prefixes(list: &str) -> (Vec<String>, Vec<String>) {
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for part in split(list) {
        refused.extend(compile(&part).err());
        let plain = part.chars().all(|c| c.is_alphanumeric() && !c.is_uppercase() || "_- ".contains(c));
        taken.push(if plain { part } else { format!("/{part}/") });
    }
    (taken, refused)
}

/// Whether a list means a name.
pub(crate) fn means(list: &str, name: &str) -> bool {
    split(list).iter().any(|part| whole(part).is_ok_and(|expression| expression.is_match(name)))
}

fn compile(part: &str) -> Result<(), String> {
    whole(part).map(|_| ()).map_err(|_| {
        format!("{part:?} is no regular expression that Headwater takes: it has no look-around and no back-references")
    })
}

/// The same as a pattern with `names` parts; none when it says more than one can.
fn glob(part: &str, names: usize) -> Option<String> {
    if part == ".*" {
        return Some(vec!["*"; names].join("."));
    }
    let part = part.strip_prefix('^').unwrap_or(part);
    let part = part.strip_suffix('$').filter(|rest| !rest.ends_with('\\')).unwrap_or(part);
    // Any one character, until it is known which dots stand between names.
    let (mut text, mut bare, mut dots) = (String::new(), Vec::new(), 0);
    let mut chars = part.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('.') => {
                    dots += 1;
                    text.push('.');
                }
                Some(c) if !c.is_alphanumeric() && !"*?/,".contains(c) => text.push(c),
                _ => return None,
            },
            '.' if chars.peek() == Some(&'*') => {
                chars.next();
                if chars.peek().is_some_and(|c| "?+*{".contains(*c)) {
                    return None;
                }
                text.push('*');
            }
            '.' => {
                bare.push(text.len());
                text.push('.');
            }
            // An expression does not mind case, a pattern does.
            c if c.is_alphanumeric() && !c.is_uppercase() || "_- ".contains(c) => text.push(c),
            _ => return None,
        }
        if text.ends_with(|c: char| c != '*') && chars.peek().is_some_and(|c| "?+*{".contains(*c)) {
            return None;
        }
    }
    let text = match names - 1 {
        // Nobody writes a dot between names and means any character.
        between if dots + bare.len() == between => Some(text),
        between if dots == between => {
            for place in bare {
                text.replace_range(place..=place, "?");
            }
            Some(text)
        }
        _ => None,
    };
    text.filter(|text| text.split('.').all(|name| !name.is_empty()) && !text.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_expressions_become_patterns() {
        for (expression, expected) in [
            ("public.orders", "public.orders"),
            (r"public\.orders", "public.orders"),
            (r"s1\.keep.*", "s1.keep*"),
            (r".*\.orders", "*.orders"),
            (".*", "*.*"),
            (r"^public\.or.er$", "public.or?er"),
            ("public.*", "/public.*/"),
            (r"public\.(a|b)", r"/public\.(a|b)/"),
            (r"public\.a+", r"/public\.a+/"),
            (r"public\.a\d", r"/public\.a\d/"),
            (r"public\.Orders", r"/public\.Orders/"),
            ("orders", "/orders/"),
        ] {
            assert_eq!(patterns(expression, 2), (vec![expected.to_owned()], vec![]), "{expression}");
        }
        assert_eq!(patterns("public.p.id, public.q.id", 3).0, ["public.p.id", "public.q.id"]);
        assert_eq!(patterns(r".*\.ssn", 3).0, [r"/.*\.ssn/"]);
        assert_eq!(patterns(r"a\.b{1\,2},c\.d", 2).0, [r"/a\.b{1,2}/", "c.d"]);
        assert_eq!(tables_of("s1,s.*").0, ["s1.*", "s*.*"]);
        assert_eq!(tables_of("(a|b)").0, [r"/(?:(a|b))\..*/"]);
    }

    #[test]
    fn what_cannot_be_had_is_told() {
        let (taken, refused) = patterns(r"public\.(?!tmp).*,public\.a", 2);
        assert_eq!(taken, [r"/public\.(?!tmp).*/", "public.a"]);
        assert!(refused[0].contains("look-around"), "{refused:?}");
        assert!(means("s1,S.*", "sales") && !means("s1", "s2"));
    }
}
