//! Writes the corpora that the targets begin with: the messages of real servers under `tests/captured/pgoutput`, each into the
//! corpus of its kind and into that of `pgoutput_message`; the texts of values that each target of theirs names; and what was
//! kept under `seeds`, an input in hexadecimal a line.
//!
//! `seeds keep` does the reverse: of each corpus it keeps what is short enough to read. Merge a corpus before.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use headwater_fuzz::decode::Mode;
use headwater_fuzz::encode::GROUPS;
use headwater_fuzz::{KINDS, byte_of};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    if env::args().nth(1).as_deref() == Some("keep") {
        return keep(&root);
    }
    for file in fs::read_dir(root.join("../tests/captured/pgoutput"))? {
        let path = file?.path();
        seed(&root.join("corpus"), &stem(&path), &fs::read_to_string(&path)?)?;
    }
    for (target, _, texts) in GROUPS {
        let folder = corpus(&root, target)?;
        for (number, text) in texts.iter().enumerate() {
            fs::write(folder.join(format!("text_{number}")), text)?;
        }
    }
    for file in fs::read_dir(root.join("seeds"))? {
        let path = file?.path();
        let folder = corpus(&root, &stem(&path))?;
        for (number, line) in fs::read_to_string(&path)?.lines().enumerate() {
            fs::write(folder.join(format!("kept_{number}")), bytes(line))?;
        }
    }
    Ok(())
}

/// Inputs of at most this many bytes are kept.
const LONGEST: usize = 48;

fn keep(root: &Path) -> io::Result<()> {
    for folder in fs::read_dir(root.join("corpus"))? {
        let folder = folder?.path();
        let mut lines = Vec::new();
        for file in fs::read_dir(&folder)? {
            let input = fs::read(file?.path())?;
            if input.len() <= LONGEST {
                lines.push(input.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
            }
        }
        lines.sort();
        fs::write(root.join("seeds").join(format!("{}.hex", stem(&folder))), lines.join("\n") + "\n")?;
    }
    Ok(())
}

fn corpus(root: &Path, target: &str) -> io::Result<PathBuf> {
    let folder = root.join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a line of hexadecimal digits stands for.
fn bytes(line: &str) -> Vec<u8> {
    (0..line.len() / 2).filter_map(|at| u8::from_str_radix(line.get(2 * at..2 * at + 2)?, 16).ok()).collect()
}

fn seed(folder: &Path, name: &str, file: &str) -> io::Result<()> {
    let mut mode = Mode { in_stream: false, parallel_abort: file.contains("streaming = parallel") };
    for (number, line) in file.lines().filter(|line| !line.starts_with('#')).enumerate() {
        let message = bytes(line);
        let tag = message.first().copied().unwrap_or_default();
        let input = [&[byte_of(mode)], message.as_slice()].concat();
        let own = KINDS.iter().find(|(_, kind)| *kind == tag).map(|(target, _)| *target);
        for target in own.into_iter().chain(["pgoutput_message"]) {
            let folder = folder.join(target);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join(format!("{name}_{number}")), &input)?;
        }
        match tag {
            b'S' => mode.in_stream = true,
            b'E' => mode.in_stream = false,
            _ => {}
        }
    }
    Ok(())
}
