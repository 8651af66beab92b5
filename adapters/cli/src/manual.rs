//! `ottla completions` and `ottla man`: what shells and `man` want to know, made from the options
//! themselves.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use clap_complete::Shell;

use crate::{exit, output};

/// Print completions for a shell
///
/// They know every command and option. What they are put into is said by the shell's manual; the
/// examples are for the usual places.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ottla completions bash > ~/.local/share/bash-completion/completions/ottla
  ottla completions zsh > ~/.zfunc/_ottla
  ottla completions fish > ~/.config/fish/completions/ottla.fish")]
pub(crate) struct Completions {
    /// Shell to print them for
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page, or write a page for each command
///
/// Pages are in the format of man. Without a folder the page of the tool itself goes to standard
/// output.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  ottla man | man -l -
  ottla man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Folder for ottla.1, ottla-produce.1 and so on; it is made if it is not there
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Completions {
    pub(crate) fn run(self, mut tool: clap::Command) -> anyhow::Result<ExitCode> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut tool, "ottla", &mut text);
        print(&text)
    }
}

impl Man {
    pub(crate) fn run(self, tool: clap::Command) -> anyhow::Result<ExitCode> {
        // The pages give the options in the order of the help, and `help` itself needs none.
        let tool = tool.disable_help_subcommand(true);
        let Some(folder) = self.folder else {
            let mut text = Vec::new();
            clap_mangen::Man::new(tool).render(&mut text).context("the page cannot be made")?;
            return print(&text);
        };
        let unwritable = || format!("{} cannot be written to", folder.display());
        std::fs::create_dir_all(&folder).with_context(unwritable)?;
        clap_mangen::generate_to(tool, &folder).with_context(unwritable)?;
        output::note(&format!("{} written to {}", pages(&folder), folder.display()));
        Ok(exit::DONE.into())
    }
}

/// How many pages there are.
fn pages(folder: &Path) -> String {
    let is_page = |name: &str| name.starts_with("ottla") && name.ends_with(".1");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let pages = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_page));
    crate::numbers::several(pages.count() as u64, "page")
}

/// To standard output. A reader that has gone has seen enough.
fn print(text: &[u8]) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("standard output cannot be written"))
        }
        _ => Ok(exit::DONE.into()),
    }
}
