//! The process, top to bottom: arguments, configuration, logging, run, exit code. Everything that can be wrong before
//! the first byte flows is said before the runtime starts.

use std::io::Write;
use std::process::ExitCode;

use headwater::allocator;
use headwater::cli::{self, Cli, Command, ImportCommand};
use headwater::config::Loaded;
use headwater::error::{Error, Kind, Result};
use headwater::observe::logging;
use headwater::run;

fn main() -> ExitCode {
    allocator::tune();
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return ExitCode::from(code),
    };
    match execute(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Nobody is left to tell when standard error is gone.
            let _ = writeln!(std::io::stderr(), "headwater: {error}\n  hint: {}", error.hint());
            ExitCode::from(error.kind().exit_code())
        }
    }
}

fn execute(cli: &Cli) -> Result<u8> {
    match &cli.command {
        Command::Config(command) => print(&cli::config_text(*command, &cli.options)?),
        Command::Status(status) if status.health => {
            let (text, code) =
                cli::health(&cli::load(&cli.options, &[])?.process, status.pipeline.as_deref());
            print(&text).map(|_| code)
        }
        Command::Status(status) => {
            print(&cli::status(&cli::load(&cli.options, &[])?.process, status.pipeline.as_deref())?)
        }
        Command::Check(selected) => {
            let loaded = cli::load(&cli.options, &selected.pipeline)?;
            secure()?;
            let (pipelines, several) = (loaded.pipelines, loaded.process.several);
            runtime()?.block_on(run::check(pipelines, several, &mut std::io::stdout()))
        }
        Command::Import(ImportCommand::Debezium(import)) => {
            let imported = cli::import_debezium(import)?;
            for warning in &imported.warnings {
                // Nobody is left to tell when standard error is gone.
                let _ = writeln!(std::io::stderr(), "warning: {warning}");
            }
            print(&imported.text)
        }
        Command::Import(ImportCommand::DebeziumOffsets(import)) => {
            let (config, order) = cli::import_offsets(import, &cli.options)?;
            secure()?;
            print(&run::take_over(&config, order, runtime()?.handle())?)
        }
        Command::Run(selected) => {
            let Loaded { process, pipelines, .. } = cli::load(&cli.options, &selected.pipeline)?;
            logging::init(&process.log)?;
            secure()?;
            let runtime = runtime()?;
            let code = runtime.block_on(run::run(process, pipelines));
            // A thread that waits for a server that is gone must not hold the end of the process.
            runtime.shutdown_background();
            code
        }
    }
}

/// One worker: SQL, signals and the admin pages; the data path of each pipeline has a thread of its own.
fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Error::new(Kind::Internal, "no runtime").with_source(error))
}

/// The one TLS provider of the process.
fn secure() -> Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| Error::new(Kind::Internal, "a TLS provider is installed already"))
}

fn print(text: &str) -> Result<u8> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Error::new(Kind::File, "standard output cannot be written").with_source(error))?;
    Ok(0)
}
