//! The pure stages, a row at a time: `cargo bench --bench stages`. The rows are bytes that a server sent
//! (`tests/captured/pgoutput/pgbench_15.hex`): the update of a pgbench account and an insert of ten columns.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater::decode::{Message, Mode, RelationCache, Tuple, Value, parse};

/// What a reader of every value must at least do: look at its kind and its length.
fn touch(tuple: &Tuple<'_>) -> usize {
    tuple.iter().fold(0, |sum, value| match value {
        Value::Text(bytes) | Value::Binary(bytes) => sum + bytes.len(),
        Value::Null | Value::Unchanged => sum + 1,
    })
}

fn decode(c: &mut Criterion) {
    let messages = captured();
    let mut relations = RelationCache::default();
    for message in &messages {
        if let Ok(Message::Relation { relation, .. }) = parse(message, Mode::default()) {
            relations.replace(&relation);
        }
    }
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    for (name, tag) in [("update of pgbench_accounts", b'U'), ("insert of 10 columns", b'I')] {
        let bytes = messages.iter().find(|bytes| bytes.first() == Some(&tag)).expect("a captured row");
        group.bench_function(format!("{name}, parse"), |b| {
            b.iter(|| parse(black_box(bytes), black_box(Mode::default())).is_ok());
        });
        group.bench_function(format!("{name}, parse, look up and iterate"), |b| {
            b.iter(|| match parse(black_box(bytes), black_box(Mode::default())) {
                Ok(Message::Insert { relation, new, .. } | Message::Update { relation, new, .. }) => {
                    (relations.get(relation), touch(&new))
                }
                _ => (None, 0),
            });
        });
    }
    group.finish();
}

/// The messages of the file, a line of hex digits each.
fn captured() -> Vec<Vec<u8>> {
    include_str!("../tests/captured/pgoutput/pgbench_15.hex")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            (0..line.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&line[at..at + 2], 16).expect("two hex digits"))
                .collect()
        })
        .collect()
}

criterion_group!(stages, decode);
criterion_main!(stages);
