//! The states of a pipeline, as `headwater_state` and `/status` name them.

/// What the pipeline is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Reading the configuration and the checkpoint.
    Starting,
    /// Opening the connections, for the first time or again after a failure.
    Connecting,
    /// Another session holds the slot: a standby waiting for its turn.
    WaitingForSlot,
    /// Reading the tables, before the stream.
    Snapshotting,
    /// START_REPLICATION succeeded and the sink is ready.
    Streaming,
    /// Told to stop; publishing what was read.
    Draining,
    /// Ended as asked.
    Stopped,
    /// Ended with an error.
    Failed,
}

impl State {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 8] = [
        Self::Starting,
        Self::Connecting,
        Self::WaitingForSlot,
        Self::Snapshotting,
        Self::Streaming,
        Self::Draining,
        Self::Stopped,
        Self::Failed,
    ];

    /// The `state` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Connecting => "connecting",
            Self::WaitingForSlot => "waiting_for_slot",
            Self::Snapshotting => "snapshotting",
            Self::Streaming => "streaming",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// The state that `as u8` gave; a number that none gave is a failed state.
    pub(super) fn from_u8(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_way_through_a_number() {
        for state in State::ALL {
            assert_eq!(State::from_u8(state as u8), state);
        }
        assert_eq!(State::from_u8(200), State::Failed);
    }
}
