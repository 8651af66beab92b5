//! The core on other machines than this one.

use anyhow::{Context as _, Result};

use super::no_panic;
use crate::command::run;
use crate::context::Context;
use crate::cross::{self, Toolchain};

/// Builds the core for each target. For microcontrollers it is linked into the program of
/// `no-panic`, which has no allocator: that it links shows that the core needs none.
pub(super) fn check(context: &Context) -> Result<()> {
    const CORE: [&str; 4] = ["--package", "ottla", "--no-default-features", "--release"];
    const LINKED: [&str; 4] = ["--manifest-path", no_panic::MANIFEST, "--profile", "level-s"];
    run(context.cargo(["build"]).args(CORE))?;
    for target in cross::TARGETS {
        let arguments = if cross::is_bare(target) { LINKED } else { CORE };
        let toolchain = Toolchain::for_target(target)?;
        run(toolchain.build(context, target).args(arguments)).context(target)?;
        println!("   {target}: built");
    }
    Ok(())
}
