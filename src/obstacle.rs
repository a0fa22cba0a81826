//! What stands in the way of a pipeline, as `headwater check` prints it: the source's and the sink's checks return these,
//! in the order in which a person should repair them.

/// One thing that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What was looked at: "topic shop.public.orders".
    pub what: String,
    /// What is wrong with it.
    pub why: String,
    /// The statement or setting that repairs it.
    pub repair: String,
    /// The pipeline cannot run; otherwise it runs, but a person should know.
    pub fatal: bool,
}
