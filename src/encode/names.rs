//! Names of columns as names of fields, and of topics as names of schemas: as they are, or such as Avro takes
//! (`events.field_name_adjustment_mode`, `events.schema_name_adjustment_mode`).

use std::collections::HashSet;
use std::fmt::Write as _;

use crate::event::Table;
use crate::modes::FieldNames;

/// The name of the field of each column. Two columns whose names become one keep apart: the later one has an underscore more.
pub(super) fn fields(table: &Table, mode: FieldNames) -> Vec<String> {
    let mut taken = HashSet::with_capacity(table.columns.len());
    let mut field = |name: &str| {
        let mut field = adjusted(name, mode, false);
        while !taken.insert(field.clone()) {
            field.push('_');
        }
        field
    };
    table.columns.iter().map(|column| field(&column.name)).collect()
}

/// The name of a schema, whose parts have dots between them.
pub(super) fn schema(name: &str, mode: FieldNames) -> String {
    adjusted(name, mode, true)
}

/// Each unit of UTF-16 that Avro does not take is replaced, and a digit has something before it.
fn adjusted(name: &str, mode: FieldNames, dots: bool) -> String {
    let unicode = match mode {
        FieldNames::None => return name.to_owned(),
        FieldNames::Avro => false,
        FieldNames::AvroUnicode => true,
    };
    let mut field = String::with_capacity(name.len() + 8);
    for (index, unit) in name.encode_utf16().enumerate() {
        let ascii = u8::try_from(unit).ok().filter(u8::is_ascii).map(char::from);
        match ascii {
            Some(letter) if letter.is_ascii_alphabetic() || letter == '_' && !unicode => field.push(letter),
            Some(digit) if digit.is_ascii_digit() && index > 0 => field.push(digit),
            Some('.') if dots && index > 0 => field.push('.'),
            _ if unicode => {
                // As Debezium has it: four digits, but three for what has three.
                let padding = if unit <= 0xFF { "00" } else { "" };
                let _ = write!(field, "_u{padding}{unit:x}");
            }
            other => {
                field.push('_');
                field.extend(other.filter(char::is_ascii_digit));
            }
        }
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_avro_takes() {
        for (name, avro, unicode) in [
            ("Id", "Id", "Id"),
            ("col-name", "col_name", "col_u002dname"),
            ("1st", "_1st", "_u0031st"),
            ("naïve", "na_ve", "na_u00efve"),
            ("a_b.c", "a_b_c", "a_u005fb_u002ec"),
            ("ř😀", "___", "_u159_ud83d_ude00"),
            ("", "", ""),
        ] {
            assert_eq!(adjusted(name, FieldNames::None, false), name);
            assert_eq!(adjusted(name, FieldNames::Avro, false), avro, "{name}");
            assert_eq!(adjusted(name, FieldNames::AvroUnicode, false), unicode, "{name}");
        }
    }

    #[test]
    fn dots_of_schemas_stay() {
        assert_eq!(schema("1a_b.my-t.Value", FieldNames::None), "1a_b.my-t.Value");
        assert_eq!(schema("1a_b.my-t.Value", FieldNames::Avro), "_1a_b.my_t.Value");
        assert_eq!(schema("1a_b.my-t.Value", FieldNames::AvroUnicode), "_u0031a_u005fb.my_u002dt.Value");
    }
}
