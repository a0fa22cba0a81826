//! What the server says went wrong, into one of our errors: the SQLSTATE decides the kind, the server's own message,
//! detail and hint stay as text. A few codes stand for several conditions; those are told apart by the name of the
//! routine that raised them, which no `lc_messages` translates, and by the English text where that is not enough.

use crate::error::{Error, Kind};

/// An ErrorResponse or NoticeResponse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServerMessage {
    pub(super) severity: String,
    pub(super) sqlstate: String,
    pub(super) message: String,
    pub(super) detail: Option<String>,
    pub(super) hint: Option<String>,
    pub(super) routine: String,
}

impl ServerMessage {
    /// Reads the fields; bytes that are not UTF-8 are replaced, for before authentication any encoding may come.
    pub(super) fn parse(mut body: &[u8]) -> Self {
        let mut read = Self::default();
        while let Some((&field, rest)) = body.split_first() {
            let Some(end) = memchr::memchr(0, rest) else { break };
            let (value, rest) = rest.split_at(end);
            let value = String::from_utf8_lossy(value).into_owned();
            match field {
                0 => break,
                b'V' => read.severity = value,
                b'S' if read.severity.is_empty() => read.severity = value,
                b'C' => read.sqlstate = value,
                b'M' => read.message = value,
                b'D' => read.detail = Some(value),
                b'H' => read.hint = Some(value),
                b'R' => read.routine = value,
                _ => {}
            }
            body = rest.get(1..).unwrap_or_default();
        }
        read
    }

    /// The same from tokio-postgres.
    pub(super) fn from_db(error: &tokio_postgres::error::DbError) -> Self {
        Self {
            severity: error.severity().to_owned(),
            sqlstate: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: error.detail().map(ToOwned::to_owned),
            hint: error.hint().map(ToOwned::to_owned),
            routine: error.routine().unwrap_or_default().to_owned(),
        }
    }

    /// As an error of the kind that fits.
    pub(super) fn into_error(self) -> Error {
        let kind = self.kind();
        let mut text = format!("the server says: {}", self.message);
        for more in [&self.detail, &self.hint].into_iter().flatten() {
            text.push_str("; ");
            text.push_str(more);
        }
        let mut error = Error::new(kind, text);
        if self.is_no_text() {
            error = error.with_hint(NO_TEXT);
        }
        if !self.sqlstate.is_empty() {
            error = error.with_sqlstate(self.sqlstate);
        }
        match (self.hint, kind) {
            // Kinds that a setting of Headwater answers keep their own advice; the server's is in the text.
            (Some(hint), Kind::SourceServer | Kind::SourceSettings | Kind::SourcePrivilege) => {
                error.with_hint(hint)
            }
            _ => error,
        }
    }

    /// The table of SQLSTATEs (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
    fn kind(&self) -> Kind {
        match self.sqlstate.as_str() {
            "28P01" | "28000" | "3D000" => Kind::SourceAuth,
            "42501" => Kind::SourcePrivilege,
            "55006" => Kind::SlotBusy,
            "42704" => self.missing_object(),
            "55000" => self.wrong_state(),
            "58P01" if self.says("has already been removed") => Kind::SlotInvalidated,
            "0A000" | "53400" => Kind::SourceSettings,
            // The log says the same the next time.
            _ if self.is_no_text() => Kind::SourceSettings,
            "08P01" => Kind::SourceProtocol,
            "53300" | "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Kind::SourceUnreachable,
            code if code.starts_with("08") => Kind::SourceUnreachable,
            _ => Kind::SourceServer,
        }
    }

    /// `character_not_in_repertoire`, `untranslatable_character`
    fn is_no_text(&self) -> bool {
        matches!(self.sqlstate.as_str(), "22021" | "22P05")
    }

    /// 42704 `undefined_object`.
    fn missing_object(&self) -> Kind {
        match self.routine.as_str() {
            "get_publication_oid" | "GetPublicationByName" => Kind::Publication,
            routine if routine.starts_with("ReplicationSlot") => Kind::SlotMissing,
            _ if self.says("publication") => Kind::Publication,
            _ if self.says("replication slot") => Kind::SlotMissing,
            _ => Kind::SourceServer,
        }
    }

    /// 55000 `object_not_in_prerequisite_state`.
    fn wrong_state(&self) -> Kind {
        let invalidated = ["can no longer", "invalidated", "exceeded the maximum reserved size"];
        let foreign = ["was not created in this database", "physical replication slot"];
        if self.routine == "CheckLogicalDecodingRequirements" || self.says("wal_level") {
            Kind::SourceSettings
        } else if invalidated.iter().any(|text| self.says(text)) {
            Kind::SlotInvalidated
        } else if foreign.iter().any(|text| self.says(text)) {
            Kind::SlotMismatch
        } else {
            Kind::SourceServer
        }
    }

    fn says(&self, text: &str) -> bool {
        self.message.contains(text) || self.detail.as_deref().is_some_and(|detail| detail.contains(text))
    }
}

/// For example a byte in WIN1252 that it has no character for, or a name in SQL_ASCII that is not UTF-8.
const NO_TEXT: &str = "a text in the database has no form in UTF-8. Of a name, a default or a label: rename or change it. Of a row: correct it, and \
     since the log keeps what it was, drop the slot and go on with source.on_gap = \"continue\"";

#[cfg(test)]
mod tests {
    use super::*;

    fn error(fields: &[u8]) -> Error {
        ServerMessage::parse(fields).into_error()
    }

    #[test]
    fn keeps_every_word_of_the_server() {
        let error = error(
            b"SFEHLER\0VERROR\0C53400\0Mall replication slots are in use\0DDetail.\0HFree one or increase max_replication_slots.\0Fslot.c\0L300\0RReplicationSlotCreate\0\0",
        );
        assert_eq!(error.kind(), Kind::SourceSettings);
        assert_eq!(
            error.to_string(),
            "the server says: all replication slots are in use; Detail.; Free one or increase max_replication_slots. (SQLSTATE 53400)"
        );
        assert_eq!(error.hint(), "Free one or increase max_replication_slots.");
    }

    #[test]
    fn tells_the_conditions_of_one_code_apart() {
        for (fields, kind) in [
            (&b"C42704\0Mreplication slot \"s\" does not exist\0\0"[..], Kind::SlotMissing),
            (b"C42704\0MReplikationsslot fehlt\0RReplicationSlotAcquire\0\0", Kind::SlotMissing),
            (b"C42704\0Mpublication \"p\" does not exist\0Rget_publication_oid\0\0", Kind::Publication),
            (b"C42704\0Mtype \"t\" does not exist\0\0", Kind::SourceServer),
            (b"C55000\0Mcan no longer get changes from replication slot \"s\"\0\0", Kind::SlotInvalidated),
            (
                b"C55000\0Mcan no longer access replication slot \"s\"\0DThis replication slot has been invalidated due to \"wal_removed\".\0\0",
                Kind::SlotInvalidated,
            ),
            (b"C58P01\0Mrequested WAL segment 00 has already been removed\0\0", Kind::SlotInvalidated),
            (b"C55000\0Mreplication slot \"s\" was not created in this database\0\0", Kind::SlotMismatch),
            (b"C55000\0Mlogical decoding requires wal_level >= logical\0\0", Kind::SourceSettings),
            (b"C55006\0Mreplication slot \"s\" is active for PID 12\0\0", Kind::SlotBusy),
            (b"C28P01\0Mpassword authentication failed\0\0", Kind::SourceAuth),
            (b"C3D000\0Mdatabase \"x\" does not exist\0\0", Kind::SourceAuth),
            (b"C42501\0Mmust be superuser or replication role\0\0", Kind::SourcePrivilege),
            (b"C57P03\0Mthe database system is starting up\0\0", Kind::SourceUnreachable),
            (b"C08006\0Mconnection failure\0\0", Kind::SourceUnreachable),
            (b"C08P01\0Munsupported startup parameter: replication\0\0", Kind::SourceProtocol),
            (b"CXX000\0Mcache lookup failed\0\0", Kind::SourceServer),
            (b"C22P05\0Mcharacter with byte sequence 0x81\0\0", Kind::SourceSettings),
        ] {
            let error = error(fields);
            assert_eq!(error.kind(), kind, "{error}");
        }
    }

    #[test]
    fn survives_any_bytes() {
        for bytes in [&b""[..], b"\0", b"C", b"C\0", b"M\xff\xfe\0", b"Mcut off"] {
            assert_eq!(ServerMessage::parse(bytes).into_error().kind(), Kind::SourceServer);
        }
    }
}
