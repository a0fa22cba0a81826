//! Writes the seed corpus: the messages of real servers under `tests/captured/pgoutput`, each into the corpus of its
//! kind and into that of `pgoutput_message`; and the texts of values that each target of theirs names.

use std::path::{Path, PathBuf};
use std::{fs, io};

use headwater_fuzz::decode::Mode;
use headwater_fuzz::encode::GROUPS;
use headwater_fuzz::{KINDS, byte_of};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for file in fs::read_dir(root.join("../tests/captured/pgoutput"))? {
        let path = file?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        seed(&root.join("corpus"), &name, &fs::read_to_string(&path)?)?;
    }
    for (target, _, texts) in GROUPS {
        let folder = root.join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        for (number, text) in texts.iter().enumerate() {
            fs::write(folder.join(format!("text_{number}")), text)?;
        }
    }
    Ok(())
}

fn seed(corpus: &Path, name: &str, file: &str) -> io::Result<()> {
    let mut mode = Mode { in_stream: false, parallel_abort: file.contains("streaming = parallel") };
    for (number, line) in file.lines().filter(|line| !line.starts_with('#')).enumerate() {
        let message: Vec<u8> = (0..line.len() / 2)
            .filter_map(|at| u8::from_str_radix(line.get(2 * at..2 * at + 2)?, 16).ok())
            .collect();
        let tag = message.first().copied().unwrap_or_default();
        let input = [&[byte_of(mode)], message.as_slice()].concat();
        let own = KINDS.iter().find(|(_, kind)| *kind == tag).map(|(target, _)| *target);
        for target in own.into_iter().chain(["pgoutput_message"]) {
            let folder = corpus.join(target);
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
