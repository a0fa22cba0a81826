//! The spool against a model of a server that streams: sessions with nested savepoints, some rolled back, whose changes
//! are sent in blocks at any time.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::*;

fn settings(directory: &Path, limit: u64, buffer: usize) -> Settings {
    Settings { directory: directory.to_owned(), name: "shop".into(), limit, buffer }
}

/// With blocks so small that everything straddles their borders.
fn tiny(blocks: u32) -> Spool {
    let file = SpoolFile::of(tempfile::tempfile().unwrap());
    Spool::on(file, Blocks::of(100, blocks), &settings(Path::new(""), u64::from(blocks) * 100, 90))
}

fn read(spool: &mut Spool) -> Vec<(u64, u64, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(Entry { lsn, block, body }) = spool.read().unwrap() {
        all.push((lsn.0, block, body.to_vec()));
    }
    all
}

#[test]
fn gives_back_what_it_was_given() {
    let mut spool = tiny(100);
    spool.begin(Xid(5), 1);
    spool.append(Xid(5), Lsn(10), b"one").unwrap();
    spool.append(Xid(6), Lsn(20), &[b'x'; 1000]).unwrap();
    spool.append(Xid(6), Lsn(30), b"").unwrap();
    spool.end().unwrap();
    spool.begin(Xid(9), 2);
    spool.append(Xid(9), Lsn(35), b"other").unwrap();
    spool.end().unwrap();
    spool.begin(Xid(5), 3);
    spool.append(Xid(6), Lsn(40), b"two").unwrap();
    spool.end().unwrap();
    assert_eq!((spool.transactions(), spool.bytes()), (2, 1300));
    assert!(spool.commit(Xid(5)));
    let expected = vec![
        (10, 1, b"one".to_vec()),
        (20, 1, vec![b'x'; 1000]),
        (30, 1, b"".to_vec()),
        (40, 3, b"two".to_vec()),
    ];
    assert_eq!(read(&mut spool), expected);
    assert!(spool.buffer.capacity() <= 90, "a large message leaves no large buffer");
    assert!(spool.commit(Xid(9)));
    assert_eq!(read(&mut spool), [(35, 2, b"other".to_vec())]);
    assert!(!spool.commit(Xid(9)) && !spool.commit(Xid(1)), "nothing is held");
    assert_eq!((spool.transactions(), spool.bytes()), (0, 0));
    assert_eq!(spool.file.length(), 0, "the disk has its room back");
}

#[test]
fn a_savepoint_in_a_savepoint_takes_only_its_own() {
    let mut spool = tiny(100);
    spool.begin(Xid(5), 1);
    for (xid, lsn) in [(5, 1), (6, 2), (7, 3), (6, 4), (8, 5), (9, 6), (8, 7)] {
        spool.append(Xid(xid), Lsn(lsn), b"row").unwrap();
    }
    spool.end().unwrap();
    // 7 and 9 were released into 6 and 8; 8, which holds 9, is rolled back.
    spool.abort(Xid(5), Xid(9)).unwrap();
    spool.abort(Xid(5), Xid(8)).unwrap();
    spool.begin(Xid(5), 2);
    spool.append(Xid(6), Lsn(8), b"row").unwrap();
    spool.end().unwrap();
    assert!(spool.commit(Xid(5)));
    let lsns: Vec<u64> = read(&mut spool).into_iter().map(|(lsn, ..)| lsn).collect();
    assert_eq!(lsns, [1, 2, 3, 4, 8]);
}

#[test]
fn ids_go_round() {
    let mut spool = tiny(100);
    spool.begin(Xid(u32::MAX - 1), 1);
    for (xid, lsn) in [(u32::MAX - 1, 1), (u32::MAX, 2), (3, 3), (4, 4)] {
        spool.append(Xid(xid), Lsn(lsn), b"row").unwrap();
    }
    spool.end().unwrap();
    spool.abort(Xid(u32::MAX - 1), Xid(3)).unwrap();
    assert!(spool.commit(Xid(u32::MAX - 1)));
    let lsns: Vec<u64> = read(&mut spool).into_iter().map(|(lsn, ..)| lsn).collect();
    assert_eq!(lsns, [1, 2]);
}

#[test]
fn is_full_at_its_limit_and_free_again_after_a_rollback() {
    let mut spool = tiny(3);
    let fill = |spool: &mut Spool, xid, bytes| {
        spool.begin(Xid(xid), 1);
        spool.append(Xid(xid), Lsn(1), &vec![0; bytes]).and_then(|()| spool.end())
    };
    fill(&mut spool, 1, 100).unwrap();
    spool.abort(Xid(1), Xid(1)).unwrap();
    fill(&mut spool, 2, 300 - entry::RUN - entry::MESSAGE).unwrap();
    let error = fill(&mut spool, 3, 1).unwrap_err();
    assert!(matches!(error, Failure::Full { limit: 300 }), "{error}");
    assert_eq!(error.to_string(), "transactions in progress take more than limits.spool, 300 bytes");
}

#[test]
fn thousands_of_transactions_and_subtransactions_take_little_memory() {
    let directory = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(&settings(directory.path(), 1 << 30, 4096)).unwrap();
    for xid in 0..5000 {
        spool.begin(Xid(xid * 100), u64::from(xid));
        for subxid in 0..50 {
            spool.append(Xid(xid * 100 + subxid), Lsn(1), b"row").unwrap();
        }
        spool.end().unwrap();
    }
    assert_eq!((spool.transactions(), spool.bytes()), (5000, 5000 * 64 * 1024));
    // What a log keeps does not depend on how many subtransactions it has.
    assert!(spool.logs.values().all(|log| log.chain().len() == 1));
    for xid in 0..5000 {
        spool.abort(Xid(xid * 100), Xid(xid * 100 + 1)).unwrap();
        assert!(spool.commit(Xid(xid * 100)));
        assert_eq!(read(&mut spool).len(), 1);
    }
    assert_eq!(spool.bytes(), 0);
}

#[test]
fn leaves_no_file_and_removes_one_that_was_left() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path(), 1 << 20, 4096);
    let left = directory.path().join("headwater-shop.spool");
    let target = directory.path().join("precious");
    std::fs::write(&target, "precious").unwrap();
    std::os::unix::fs::symlink(&target, &left).unwrap();
    std::fs::write(directory.path().join("headwater-other.spool"), "of another pipeline").unwrap();
    let spool = Spool::open(&settings).unwrap();
    assert_eq!(spool.file.mode() & 0o777, 0o600);
    probe(&settings).unwrap();
    let mut names: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["headwater-other.spool", "precious"]);
    assert_eq!(std::fs::read_to_string(target).unwrap(), "precious");
}

#[test]
fn says_why_it_cannot_be_opened() {
    let directory = tempfile::tempdir().unwrap();
    let missing = settings(&directory.path().join("none"), 1 << 20, 4096);
    let error = Spool::open(&missing).unwrap_err().to_string();
    assert!(error.contains("none/headwater-shop.spool: No such file"), "{error}");
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert!(probe(&settings(&file, 1 << 20, 4096)).unwrap_err().to_string().contains("Not a directory"));
}

#[test]
fn a_disk_that_fails_is_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk");
    std::fs::write(&path, "").unwrap();
    let read_only = SpoolFile::of(std::fs::File::open(&path).unwrap());
    let mut spool = Spool::on(read_only, Blocks::of(100, 9), &settings(Path::new(""), 900, 90));
    spool.begin(Xid(1), 1);
    spool.append(Xid(1), Lsn(1), b"row").unwrap();
    let error = spool.end().unwrap_err().to_string();
    assert!(error.starts_with("cannot write the spool: "), "{error}");

    let mut spool = tiny(9);
    spool.begin(Xid(1), 1);
    spool.append(Xid(1), Lsn(1), &[0; 300]).unwrap();
    spool.end().unwrap();
    spool.file.clear().unwrap();
    assert!(spool.commit(Xid(1)));
    let error = spool.read().unwrap_err().to_string();
    assert!(error.starts_with("cannot read the spool: "), "{error}");
}

/// What a session of the model does.
#[derive(Clone, Debug)]
enum Step {
    Row {
        bytes: usize,
    },
    Savepoint,
    Release,
    Rollback,
    /// Changes so far are sent, as when the server's memory is full.
    Stream,
    Commit,
    Abort,
}

/// A subtransaction, and whether the server has sent any of it.
#[derive(Default)]
struct Sub {
    xid: Option<u32>,
    /// Those released into it, with ids.
    released: Vec<u32>,
}

#[derive(Default)]
struct Session {
    stack: Vec<Sub>,
    unsent: Vec<(u32, u64, Vec<u8>)>,
    sent: Vec<(u32, u64, Vec<u8>)>,
}

struct Server {
    spool: Spool,
    next_xid: u32,
    next_lsn: u64,
    block: u64,
    committed: usize,
}

impl Server {
    fn assign(&mut self, session: &mut Session) -> u32 {
        for sub in &mut session.stack {
            sub.xid.get_or_insert_with(|| {
                self.next_xid = self.next_xid.wrapping_add(1);
                self.next_xid
            });
        }
        session.stack.last().unwrap().xid.unwrap()
    }

    fn stream(&mut self, session: &mut Session) {
        let Some(top) = session.stack[0].xid else { return };
        self.block += 1;
        self.spool.begin(Xid(top), self.block);
        for (xid, lsn, body) in session.unsent.drain(..) {
            self.spool.append(Xid(xid), Lsn(lsn), &body).unwrap();
            session.sent.push((xid, lsn, body));
        }
        self.spool.end().unwrap();
    }

    /// The record of a rollback names the children first; the server tells only of those that it has sent rows of.
    fn abort(&mut self, session: &mut Session, sub: Sub) {
        let top = session.stack.first().and_then(|top| top.xid).or(sub.xid);
        let mut ids = sub.released;
        ids.sort_by_key(|xid| xid.wrapping_sub(sub.xid.unwrap_or(0)));
        ids.extend(sub.xid);
        for id in ids {
            session.unsent.retain(|(xid, ..)| *xid != id);
            let before = session.sent.len();
            session.sent.retain(|(xid, ..)| *xid != id);
            if session.sent.len() < before || Some(id) == top {
                self.spool.abort(Xid(top.unwrap()), Xid(id)).unwrap();
            }
        }
    }

    fn step(&mut self, session: &mut Session, step: &Step) {
        if session.stack.is_empty() {
            session.stack.push(Sub::default());
        }
        match step {
            Step::Row { bytes } => {
                let xid = self.assign(session);
                self.next_lsn += 1;
                session.unsent.push((xid, self.next_lsn, vec![self.next_lsn.to_ne_bytes()[0]; *bytes]));
            }
            Step::Savepoint => session.stack.push(Sub::default()),
            Step::Release if session.stack.len() > 1 => {
                let sub = session.stack.pop().unwrap();
                let parent = session.stack.last_mut().unwrap();
                parent.released.extend(sub.released);
                parent.released.extend(sub.xid);
            }
            Step::Rollback if session.stack.len() > 1 => {
                let sub = session.stack.pop().unwrap();
                self.abort(session, sub);
            }
            Step::Release | Step::Rollback => {}
            Step::Stream => self.stream(session),
            Step::Abort => {
                while let Some(sub) = session.stack.pop() {
                    self.abort(session, sub);
                }
            }
            Step::Commit => self.commit(session),
        }
    }

    fn commit(&mut self, session: &mut Session) {
        self.stream(session);
        let expected: Vec<_> = session.sent.drain(..).map(|(_, lsn, body)| (lsn, body)).collect();
        if let Some(top) = session.stack[0].xid {
            assert_eq!(self.spool.commit(Xid(top)), !expected.is_empty());
        }
        let found: Vec<_> = read(&mut self.spool).into_iter().map(|(lsn, _, body)| (lsn, body)).collect();
        assert_eq!(found, expected);
        self.committed += found.len();
        session.stack.clear();
    }
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        8 => (0..250_usize).prop_map(|bytes| Step::Row { bytes }),
        3 => Just(Step::Savepoint),
        2 => Just(Step::Release),
        2 => Just(Step::Rollback),
        3 => Just(Step::Stream),
        1 => Just(Step::Commit),
        1 => Just(Step::Abort),
    ];
    proptest::collection::vec((0..4_usize, step), 1..200)
}

proptest! {
    #[test]
    fn what_survives_is_what_the_server_would_have_sent_at_the_commit(
        steps in steps(),
        first_xid in prop_oneof![Just(700), Just(u32::MAX - 20)],
    ) {
        let mut server =
            Server { spool: tiny(10_000), next_xid: first_xid, next_lsn: 0, block: 0, committed: 0 };
        let mut sessions: HashMap<usize, Session> = HashMap::new();
        for (number, step) in &steps {
            server.step(sessions.entry(*number).or_default(), step);
        }
        for session in sessions.values_mut() {
            server.step(session, &Step::Commit);
        }
        prop_assert_eq!((server.spool.bytes(), server.spool.transactions()), (0, 0));
    }
}
