//! Proving who we are: the client's side of trust, password, md5, SCRAM-SHA-256 and SCRAM-SHA-256-PLUS as a machine
//! that takes the bodies of authentication requests and gives the messages to send. The server proves itself too: with
//! SCRAM, an AuthenticationOk before its signature was checked is refused.

use bytes::BytesMut;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use postgres_protocol::message::frontend;

use crate::error::{Error, Kind, Result};

/// What the TLS session offers to SCRAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// No TLS, or a certificate without a hash.
    Unsupported,
    /// `tls-server-end-point`.
    ServerEndPoint(Vec<u8>),
}

/// Whether more is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Continue,
    Done,
}

/// One authentication exchange.
pub(super) struct Exchange<'a> {
    user: &'a str,
    password: Option<&'a str>,
    binding: Binding,
    scram: Scram,
}

enum Scram {
    None,
    Started(ScramSha256),
    Answered(ScramSha256),
    Verified,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(user: &'a str, password: Option<&'a str>, binding: Binding) -> Self {
        Self { user, password, binding, scram: Scram::None }
    }

    /// Takes the body of an `R` message; what is to be sent is appended to `out`.
    pub(super) fn step(&mut self, body: &[u8], out: &mut BytesMut) -> Result<Progress> {
        let Some((code, rest)) = body.split_first_chunk::<4>() else {
            return Err(protocol("an authentication request is cut off"));
        };
        match u32::from_be_bytes(*code) {
            0 => return self.accepted(),
            3 => frontend::password_message(self.password("password")?.as_bytes(), out).map_err(encode)?,
            5 => {
                let Ok(salt) = <[u8; 4]>::try_from(rest) else { return Err(protocol("md5 without a salt")) };
                let hash = md5_hash(self.user.as_bytes(), self.password("md5")?.as_bytes(), salt);
                frontend::password_message(hash.as_bytes(), out).map_err(encode)?;
            }
            10 => self.start_scram(rest, out)?,
            11 => self.continue_scram(rest, out)?,
            12 => self.finish_scram(rest)?,
            code => return Err(unsupported(code)),
        }
        Ok(Progress::Continue)
    }

    fn accepted(&self) -> Result<Progress> {
        match self.scram {
            Scram::None | Scram::Verified => Ok(Progress::Done),
            Scram::Started(_) | Scram::Answered(_) => Err(Error::new(
                Kind::SourceAuth,
                "the server accepted without proving that it knows the password",
            )
            .with_hint(
                "something between here and the server plays its part: set source.sslmode = \"verify-full\"",
            )),
        }
    }

    fn start_scram(&mut self, list: &[u8], out: &mut BytesMut) -> Result<()> {
        let offers = |name: &str| list.split(|byte| *byte == 0).any(|offer| offer == name.as_bytes());
        let (plus, plain) = (offers(SCRAM_SHA_256_PLUS), offers(SCRAM_SHA_256));
        let (mechanism, binding) = match (&self.binding, plus, plain) {
            (Binding::ServerEndPoint(hash), true, _) => {
                (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash.clone()))
            }
            // "y": we could, the server cannot. A man in the middle who took -PLUS off the list is found out by it.
            (Binding::ServerEndPoint(_), false, true) => (SCRAM_SHA_256, ChannelBinding::unrequested()),
            (Binding::Unsupported, _, true) => (SCRAM_SHA_256, ChannelBinding::unsupported()),
            _ => {
                let names = String::from_utf8_lossy(list).trim_end_matches('\0').replace('\0', ", ");
                let detail =
                    format!("the server offers only the SASL mechanisms {names}, none of them known here");
                return Err(Error::new(Kind::SourceAuth, detail).with_hint(USE_SCRAM));
            }
        };
        let scram = ScramSha256::new(self.password("scram-sha-256")?.as_bytes(), binding);
        frontend::sasl_initial_response(mechanism, scram.message(), out).map_err(encode)?;
        self.scram = Scram::Started(scram);
        Ok(())
    }

    fn continue_scram(&mut self, data: &[u8], out: &mut BytesMut) -> Result<()> {
        let Scram::Started(mut scram) = std::mem::replace(&mut self.scram, Scram::None) else {
            return Err(protocol("a SASL challenge out of turn"));
        };
        scram.update(data).map_err(|error| {
            let too_many = error.to_string().contains("iteration count");
            let failed =
                Error::new(Kind::SourceAuth, "the server's SCRAM challenge was refused").with_source(error);
            if too_many { failed.with_hint(FEWER_ITERATIONS) } else { failed }
        })?;
        frontend::sasl_response(scram.message(), out).map_err(encode)?;
        self.scram = Scram::Answered(scram);
        Ok(())
    }

    fn finish_scram(&mut self, data: &[u8]) -> Result<()> {
        let Scram::Answered(mut scram) = std::mem::replace(&mut self.scram, Scram::None) else {
            return Err(protocol("a SASL outcome out of turn"));
        };
        scram.finish(data).map_err(|error| {
            Error::new(Kind::SourceAuth, "the server could not prove that it knows the password")
                .with_source(error)
        })?;
        self.scram = Scram::Verified;
        Ok(())
    }

    fn password(&self, method: &str) -> Result<&'a str> {
        self.password.ok_or_else(|| {
            let detail = format!(
                "the server asks user {:?} for a password ({method}), and none is configured",
                self.user
            );
            Error::new(Kind::SourceAuth, detail).with_hint(SET_PASSWORD)
        })
    }
}

/// Names the method as pg_hba.conf does.
fn unsupported(code: u32) -> Error {
    let method = match code {
        2 => "Kerberos V5",
        6 => "SCM credentials",
        7 | 8 => "gss (GSSAPI)",
        9 => "sspi",
        _ => "",
    };
    let detail = if method.is_empty() {
        format!("the server asks for authentication method number {code}, which is not known here")
    } else {
        format!("the server asks for authentication by {method}, which is not supported")
    };
    Error::new(Kind::SourceAuth, detail).with_hint(USE_SCRAM)
}

fn protocol(detail: &'static str) -> Error {
    Error::new(Kind::SourceProtocol, detail)
}

fn encode(error: std::io::Error) -> Error {
    Error::new(Kind::SourceAuth, "the password or user cannot be sent (does it hold a null byte?)")
        .with_source(error)
}

/// What to put in pg_hba.conf.
pub(super) const USE_SCRAM: &str = "put a line with the method scram-sha-256 for this user, database and address in pg_hba.conf before the line that matches now, then run SELECT pg_reload_conf()";

pub(super) const SET_PASSWORD: &str = "set source.password_file, source.password_env or source.password";
/// For a limit of postgres-protocol, against servers that would keep a client busy.
pub(super) const FEWER_ITERATIONS: &str = "the password was stored with more than 100,000 iterations: lower scram_iterations, then set the password again with ALTER ROLE … PASSWORD";

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    fn request(code: u32, rest: &[u8]) -> Vec<u8> {
        [&code.to_be_bytes()[..], rest].concat()
    }

    fn exchange(password: Option<&'static str>) -> Exchange<'static> {
        Exchange::new("md5_user", password, Binding::Unsupported)
    }

    fn fails(exchange: &mut Exchange<'_>, code: u32, rest: &[u8]) -> Error {
        exchange.step(&request(code, rest), &mut BytesMut::new()).unwrap_err()
    }

    #[test]
    fn trust_needs_nothing() {
        let mut out = BytesMut::new();
        assert_eq!(exchange(None).step(&request(0, b""), &mut out).unwrap(), Progress::Done);
        assert!(out.is_empty());
    }

    #[test]
    fn sends_the_password_as_asked() {
        let mut out = BytesMut::new();
        assert_eq!(exchange(Some("s3")).step(&request(3, b""), &mut out).unwrap(), Progress::Continue);
        assert_eq!(&out[..], b"p\0\0\0\x07s3\0");
        out.clear();
        exchange(Some("password")).step(&request(5, &[0x2a, 0x3d, 0x8f, 0xe0]), &mut out).unwrap();
        assert_eq!(&out[..], b"p\0\0\0\x28md562af4dd09bbb41884907a838a3233294\0");
    }

    #[test]
    fn asks_for_the_password_that_is_missing() {
        for (code, rest) in [(3, &b""[..]), (5, b"salt"), (10, b"SCRAM-SHA-256\0\0")] {
            let error = fails(&mut exchange(None), code, rest);
            assert_eq!(error.kind(), Kind::SourceAuth);
            assert!(error.hint().contains("password_file"), "{error}");
        }
    }

    #[test]
    fn names_a_method_it_cannot_do() {
        for (code, name) in [(2, "Kerberos"), (7, "gss"), (9, "sspi"), (99, "number 99")] {
            let error = fails(&mut exchange(Some("x")), code, b"");
            assert!(error.to_string().contains(name) && error.hint().contains("pg_hba.conf"), "{error}");
        }
        let error = fails(&mut exchange(Some("x")), 10, b"OAUTHBEARER\0\0");
        assert!(error.to_string().contains("OAUTHBEARER"), "{error}");
    }

    #[test]
    fn chooses_the_strongest_mechanism() {
        let bound = || Binding::ServerEndPoint(vec![1; 32]);
        for (binding, list, mechanism, header) in [
            (
                bound(),
                &b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"[..],
                "SCRAM-SHA-256-PLUS\0",
                "p=tls-server-end-point,,",
            ),
            (bound(), b"SCRAM-SHA-256\0\0", "SCRAM-SHA-256\0", "y,,"),
            (Binding::Unsupported, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", "SCRAM-SHA-256\0", "n,,"),
        ] {
            let mut out = BytesMut::new();
            Exchange::new("u", Some("p"), binding).step(&request(10, list), &mut out).unwrap();
            let sent = String::from_utf8_lossy(&out[5..]).into_owned();
            assert!(sent.starts_with(mechanism) && sent.contains(header), "{sent:?}");
        }
    }

    #[test]
    fn refuses_a_server_that_skips_its_proof() {
        let mut started = exchange(Some("p"));
        started.step(&request(10, b"SCRAM-SHA-256\0\0"), &mut BytesMut::new()).unwrap();
        assert_eq!(fails(&mut started, 0, b"").kind(), Kind::SourceAuth);
    }

    fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
        let pad = |with: u8| -> Vec<u8> {
            (0..64).map(|index| key.get(index).copied().unwrap_or_default() ^ with).collect()
        };
        let inner = Sha256::digest([pad(0x36), message.to_vec()].concat());
        Sha256::digest([pad(0x5c), inner.to_vec()].concat()).into()
    }

    /// RFC 5802 with one iteration: salted password, server's signature and the client's key that a proof reveals.
    fn server_side(password: &[u8], salt: &[u8], auth_message: &str, proof: &[u8]) -> (String, bool) {
        let salted = hmac(password, &[salt, &[0, 0, 0, 1]].concat());
        let stored_key = Sha256::digest(hmac(&salted, b"Client Key"));
        let client_signature = hmac(&stored_key, auth_message.as_bytes());
        let client_key: Vec<_> =
            proof.iter().zip(client_signature).map(|(proof, byte)| proof ^ byte).collect();
        let signature = hmac(&hmac(&salted, b"Server Key"), auth_message.as_bytes());
        (STANDARD.encode(signature), Sha256::digest(client_key) == stored_key)
    }

    /// A whole SCRAM exchange; `forge` spoils the server's proof.
    fn scram(binding: Binding, mechanisms: &[u8], bound: &[u8], forge: bool) -> Result<Progress> {
        let mut exchange = Exchange::new("u", Some("pencil"), binding);
        let mut out = BytesMut::new();
        exchange.step(&request(10, mechanisms), &mut out)?;
        let first = String::from_utf8(out[5..].to_vec()).unwrap();
        let bare = &first[first.find("n=,r=").unwrap()..];
        let challenge = format!("r={}server,s=c2FsdA==,i=1", &bare[5..]);
        out.clear();
        exchange.step(&request(11, challenge.as_bytes()), &mut out)?;
        let answer = String::from_utf8(out[5..].to_vec()).unwrap();
        let (without_proof, proof) = answer.split_once(",p=").unwrap();
        let header = STANDARD.decode(&without_proof["c=".len()..without_proof.find(',').unwrap()]).unwrap();
        assert_eq!(header, bound);
        let auth_message = format!("{bare},{challenge},{without_proof}");
        let (signature, proven) =
            server_side(b"pencil", b"salt", &auth_message, &STANDARD.decode(proof).unwrap());
        assert!(proven, "the client's proof is wrong");
        let signature = if forge { STANDARD.encode([7; 32]) } else { signature };
        exchange.step(&request(12, format!("v={signature}").as_bytes()), &mut out)?;
        exchange.step(&request(0, b""), &mut out)
    }

    #[test]
    fn proves_itself_and_checks_the_server() {
        let plain = b"SCRAM-SHA-256\0\0";
        assert_eq!(scram(Binding::Unsupported, plain, b"n,,", false).unwrap(), Progress::Done);
        let both = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
        let binding = Binding::ServerEndPoint(b"hash".to_vec());
        let bound = b"p=tls-server-end-point,,hash";
        assert_eq!(scram(binding.clone(), both, bound, false).unwrap(), Progress::Done);
        assert_eq!(scram(binding, both, bound, true).unwrap_err().kind(), Kind::SourceAuth);
    }

    #[test]
    fn explains_too_many_iterations() {
        let mut started = exchange(Some("p"));
        let mut out = BytesMut::new();
        started.step(&request(10, b"SCRAM-SHA-256\0\0"), &mut out).unwrap();
        let sent = String::from_utf8(out[5..].to_vec()).unwrap();
        let nonce = sent.split("r=").nth(1).unwrap();
        let challenge = format!("r={nonce}abc,s=c2FsdA==,i=100001");
        let error = fails(&mut started, 11, challenge.as_bytes());
        assert!(error.hint().contains("scram_iterations"), "{error} {}", error.hint());
    }

    #[test]
    fn never_panics_out_of_turn() {
        for code in 0..20 {
            for rest in [&b""[..], b"\0", b"r=,s=,i=", b"\xff\xff\xff"] {
                let mut exchange = exchange(Some("p"));
                for _ in 0..3 {
                    let _ = exchange.step(&request(code, rest), &mut BytesMut::new());
                }
            }
        }
        assert_eq!(
            exchange(None).step(b"\0", &mut BytesMut::new()).unwrap_err().kind(),
            Kind::SourceProtocol
        );
    }
}
