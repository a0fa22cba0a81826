//! How many changes a second one core takes from the message to the record, everything between socket and producer: `cargo
//! bench --bench encode`. The same workloads as those whose instructions are counted.

mod workloads;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    for workload in workloads::all() {
        let mut rehearsal = workload.rehearse().expect("messages of known tables");
        group.throughput(Throughput::Elements(workload.events));
        group.bench_function(workload.name, |b| {
            b.iter(|| workload.repeat(&mut rehearsal).expect("rows of the tables' types"));
            rehearsal.turn().and_then(|()| rehearsal.seal()).expect("a sink that takes everything");
        });
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
