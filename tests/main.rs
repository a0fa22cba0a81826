//! The integration tests: one binary, a module per behaviour, over the real servers of `support`.

#[cfg(test)]
mod arrows;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod docs_links;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod pipelines;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod sink;
#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod support;
#[cfg(test)]
mod take_over;
