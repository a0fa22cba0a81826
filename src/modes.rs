//! How values are written whose JSON form is a matter of choice: the words of the configuration and what the encoder
//! chooses by. They belong to no stage, because the first names them and the middle one acts on them.

/// An enum whose variants are words of the configuration; the first one is the default.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$word_doc])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The word of each of [`Self::ALL`].
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The one that a word stands for.
            #[must_use]
            pub fn of_word(word: &str) -> Option<Self> {
                let index = Self::WORDS.iter().position(|known| *known == word)?;
                Self::ALL.get(index).copied()
            }

            /// The word that stands for it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::ALL[0]
            }
        }
    };
}

words! {
    /// `numeric` and `money`: Debezium's `decimal.handling.mode`.
    DecimalMode {
        /// Kafka Connect's Decimal, or the number beside its own scale.
        Precise = "precise",
        /// A floating-point number, rounded.
        Double = "double",
        /// The digits as text.
        String = "string",
    }
}

words! {
    /// The JSON of Kafka Connect's Decimal: the converter's `decimal.format`.
    DecimalFormat {
        /// base64 of the unscaled number.
        Base64 = "base64",
        /// A JSON number with all its digits.
        Numeric = "numeric",
    }
}

words! {
    /// Dates and times: Debezium's `time.precision.mode`.
    TimeMode {
        /// Milliseconds up to three digits of a second, else microseconds.
        Adaptive = "adaptive",
        /// As adaptive, but `time` is always microseconds.
        AdaptiveTimeMicroseconds = "adaptive_time_microseconds",
        /// Kafka Connect's types, all milliseconds.
        Connect = "connect",
        /// ISO 8601 in UTC.
        IsoString = "isostring",
        Microseconds = "microseconds",
        Nanoseconds = "nanoseconds",
        /// An object of year, month and so on.
        Structured = "structured",
    }
}

words! {
    /// Debezium's `interval.handling.mode`.
    IntervalMode {
        /// Microseconds; a month is 30.4375 days.
        Numeric = "numeric",
        /// `P1Y2M3DT4H5M6.789S`
        String = "string",
    }
}

words! {
    /// Debezium's `hstore.handling.mode`.
    HstoreMode {
        /// A string that holds a JSON object.
        Json = "json",
        /// The object itself.
        Map = "map",
    }
}

words! {
    /// `bytea`: Debezium's `binary.handling.mode`.
    BinaryMode {
        /// Connect's bytes, which JSON has as base64.
        Bytes = "bytes",
        /// A string in base64.
        Base64 = "base64",
        /// A string in base64 with `-` and `_`.
        Base64UrlSafe = "base64-url-safe",
        /// A string of hexadecimal digits.
        Hex = "hex",
    }
}

words! {
    /// Names of fields and of schemas: Debezium's `field.name.adjustment.mode` and `schema.name.adjustment.mode`.
    FieldNames {
        /// As the columns are called.
        None = "none",
        /// What Avro does not take is an underscore.
        Avro = "avro",
        /// What Avro does not take is `_uXXXX`, the underscore too.
        AvroUnicode = "avro_unicode",
    }
}

words! {
    /// What the texts of a database in SQL_ASCII are, which PostgreSQL does not know: `source.sql_ascii`.
    TextEncoding {
        Utf8 = "utf8",
        /// ISO 8859-1: every byte is the character of its number.
        Latin1 = "latin1",
        /// ISO 8859-15, with the euro.
        Latin9 = "latin9",
        /// Windows-1252, which has no character at 81, 8D, 8F, 90 and 9D.
        Win1252 = "win1252",
    }
}

words! {
    /// What becomes of deletes in the flat form: the transformation's `delete.tombstone.handling.mode`.
    DeleteHandling {
        /// The delete is a record without a value; no tombstone follows.
        Tombstone = "tombstone",
        /// Neither delete nor tombstone is written.
        Drop = "drop",
        /// The delete is the old row, with `__deleted`; no tombstone follows.
        Rewrite = "rewrite",
        /// The same, and the tombstone follows.
        RewriteWithTombstone = "rewrite-with-tombstone",
        /// The delete is a tombstone.
        DeleteToTombstone = "delete-to-tombstone",
    }
}

impl DeleteHandling {
    /// Whether rows say that they are deleted or not.
    #[must_use]
    pub const fn rewrites(self) -> bool {
        matches!(self, Self::Rewrite | Self::RewriteWithTombstone)
    }
}

words! {
    /// Whose form is written where Debezium's says something else than the row.
    Quirks {
        /// Headwater's.
        None = "none",
        /// Debezium's.
        Debezium = "debezium",
    }
}

words! {
    /// Which parts of a record stand behind their Kafka Connect schema: the converters' `schemas.enable`.
    Schemas {
        None = "false",
        Both = "true",
        Key = "key",
        Value = "value",
    }
}

impl Schemas {
    /// Keys do.
    #[must_use]
    pub fn key(self) -> bool {
        matches!(self, Self::Both | Self::Key)
    }

    /// Values do.
    #[must_use]
    pub fn value(self) -> bool {
        matches!(self, Self::Both | Self::Value)
    }
}

/// Where Debezium has values from, which it writes in other forms accordingly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    #[default]
    Stream,
    /// The JDBC driver, in a snapshot.
    Driver,
}

/// All choices together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modes {
    pub decimal: DecimalMode,
    pub decimal_format: DecimalFormat,
    pub time: TimeMode,
    pub interval: IntervalMode,
    pub hstore: HstoreMode,
    pub binary: BinaryMode,
    /// Digits behind the point of a precise `money`, at most 15; Debezium's `money.fraction.digits`.
    pub money_fraction_digits: u8,
    /// Types without a form are the bytes of their text instead of left out; Debezium's `include.unknown.datatypes`.
    pub unknown_types: bool,
    /// Arrays that Debezium has no form for, of `money`, `name`, `interval`, `varbit`, `xml`, `point` and of domains, are
    /// arrays of their element's form instead of left out.
    pub unmapped_arrays: bool,
    /// A NULL is the column's default; the converter's `replace.null.with.default`.
    pub null_as_default: bool,
    pub field_names: FieldNames,
    /// Of schemas, whose dots stay.
    pub schema_names: FieldNames,
    pub quirks: Quirks,
    /// Where Debezium has its values from. Not a choice of the configuration.
    pub via: Via,
    pub schemas: Schemas,
}

impl Default for Modes {
    fn default() -> Self {
        Self {
            decimal: DecimalMode::default(),
            decimal_format: DecimalFormat::default(),
            time: TimeMode::default(),
            interval: IntervalMode::default(),
            hstore: HstoreMode::default(),
            binary: BinaryMode::default(),
            money_fraction_digits: 2,
            unknown_types: false,
            unmapped_arrays: false,
            null_as_default: false,
            field_names: FieldNames::default(),
            schema_names: FieldNames::default(),
            quirks: Quirks::default(),
            via: Via::default(),
            schemas: Schemas::default(),
        }
    }
}

impl Modes {
    /// Whether Debezium's form is wanted where it says something else than the row.
    #[must_use]
    pub fn quirky(self) -> bool {
        self.quirks == Quirks::Debezium
    }
}

/// [`Modes::money_fraction_digits`]: more would not fit beside the digits of a 64-bit amount.
pub const MOST_MONEY_DIGITS: u8 = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_to_their_variants() {
        for (word, mode) in TimeMode::WORDS.iter().zip(TimeMode::ALL) {
            assert_eq!(TimeMode::of_word(word), Some(*mode));
            assert_eq!(mode.word(), *word);
        }
        assert_eq!(BinaryMode::of_word("base64-url-safe"), Some(BinaryMode::Base64UrlSafe));
        assert_eq!(DecimalMode::of_word("PRECISE"), None);
        assert_eq!(Modes::default().quirks, Quirks::None);
    }
}
