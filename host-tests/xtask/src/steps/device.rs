//! The core as a device runs it, without a network: traces that are the same on every machine, and
//! what they take.

use anyhow::{Context as _, Result};

use crate::command::run;
use crate::context::Context;
use crate::cross::Toolchain;
use crate::install;

/// A host with 32-bit addresses, whose programs this machine can run.
const HOST_32: &str = "i686-unknown-linux-gnu";

const PACKAGE: &str = "ottla-answers";

/// The image, outside of the workspace and of the table of boards.
const IMAGE: &str = "qemu-measure";

/// Targets of the image, and QEMU's machines for them.
const MACHINES: [(&str, &str); 2] =
    [("thumbv7em-none-eabihf", "mps2-an386"), ("thumbv7m-none-eabi", "mps2-an385")];

pub(super) fn check(context: &Context) -> Result<()> {
    install::require(install::LIBRARIES_32)?;
    let toolchain = Toolchain::for_target(HOST_32)?;
    run(&mut toolchain.test(context, HOST_32, PACKAGE)).context(HOST_32)?;
    install::require(install::QEMU)?;
    let folder = context.root.join("firmware-examples").join(IMAGE);
    for (target, machine) in MACHINES {
        let mut build = Toolchain::for_target(target)?.cargo_build(context, target, "core");
        build.args(["--release", "--locked", "--target-dir", "target"]).current_dir(&folder);
        run(&mut build).context(target)?;
        let image = folder.join("target").join(target).join("release").join(IMAGE);
        let mut tests = context.cargo_test();
        tests.args(["--package", PACKAGE, "--test", "device"]);
        tests.env("IMAGE", image).env("MACHINE", machine);
        run(tests.args(["--", "--ignored", "--nocapture"])).context(machine)?;
    }
    Ok(())
}
