//! The process, top to bottom: arguments, configuration, logging, run, exit code. Everything that can be wrong before
//! the first byte flows is said before the runtime starts.

use std::io::Write;
use std::process::ExitCode;

use headwater::allocator;
use headwater::cli::{self, Cli, Command};
use headwater::config::Config;
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
        Command::Status(cli::StatusOptions { health: false }) => {
            print(&cli::status(&cli::load(&cli.options)?.config)?)
        }
        Command::Status(cli::StatusOptions { health: true }) => {
            let (text, code) = cli::health(&cli::load(&cli.options)?.config);
            print(&text).map(|_| code)
        }
        Command::Check => {
            let config = cli::load(&cli.options)?.config;
            secure()?;
            runtime()?.block_on(run::check(&config, &mut std::io::stdout()))
        }
        Command::Run => {
            let config: Config = cli::load(&cli.options)?.config;
            logging::init(&config.log)?;
            secure()?;
            let runtime = runtime()?;
            let code = runtime.block_on(run::run(config));
            // A thread that waits for a server that is gone must not hold the end of the process.
            runtime.shutdown_background();
            code
        }
    }
}

/// One worker: SQL, signals and the admin pages; the data path has a thread of its own.
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
