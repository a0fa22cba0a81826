//! The log: lines on standard error, for people or as JSON. Standard output belongs to the stdout sink.

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};
use crate::error::{Error, Kind, Result};

/// Sends what is logged from now on to standard error, in colour only on a terminal and never with `NO_COLOR`.
///
/// # Errors
/// [`Kind::Config`] when `log.level` is no filter; [`Kind::Internal`] when called twice.
pub fn init(log: &Log) -> Result<()> {
    let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
    subscriber(log, std::io::stderr, ansi)?
        .try_init()
        .map_err(|error| Error::new(Kind::Internal, error.to_string()).context("start logging"))
}

fn subscriber<W>(log: &Log, writer: W, ansi: bool) -> Result<Box<dyn Subscriber + Send + Sync>>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse(&log.level).map_err(|error| {
        Error::new(Kind::Config, format!("log.level = {:?} is not a filter: {error}", log.level)).with_hint(
            "use error, warn, info, debug or trace, or a list like \"info,headwater::source=debug\"",
        )
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(ansi);
    Ok(match log.format {
        LogFormat::Text => Box::new(builder.finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).with_span_list(false).finish()),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};
    use std::sync::Arc;

    use super::*;

    /// What is logged by `act`.
    fn logged(format: LogFormat, level: &str, act: impl FnOnce()) -> String {
        let mut file = tempfile::tempfile().unwrap();
        let writer = Arc::new(file.try_clone().unwrap());
        let log = Log { format, level: level.into() };
        tracing::subscriber::with_default(subscriber(&log, writer, false).unwrap(), act);
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn text_is_one_plain_line() {
        let text = logged(LogFormat::Text, "info", || tracing::info!(slot = "shop", "streaming"));
        assert_eq!(text.lines().count(), 1);
        assert!(
            text.contains("INFO") && text.contains("streaming") && text.contains("slot=\"shop\""),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn json_has_message_and_fields_at_the_top() {
        let text = logged(LogFormat::Json, "info", || tracing::warn!(slot = "shop", "waiting"));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&line["level"], &line["message"], &line["slot"]),
            (&"WARN".into(), &"waiting".into(), &"shop".into())
        );
        assert!(line["timestamp"].is_string(), "{line}");
    }

    #[test]
    fn the_filter_is_by_module() {
        let text = logged(LogFormat::Text, "warn,headwater::observe=debug", || {
            tracing::debug!("ours");
            tracing::info!(target: "other", "theirs");
        });
        assert!(text.contains("ours") && !text.contains("theirs"), "{text}");
    }

    #[test]
    fn a_wrong_filter_names_the_key() {
        let log = Log { format: LogFormat::Text, level: "loud=very".into() };
        let error = subscriber(&log, std::io::stderr, false).err().unwrap();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.to_string().contains("log.level = \"loud=very\""), "{error}");
    }
}
