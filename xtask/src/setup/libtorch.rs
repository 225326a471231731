//! Installs libtorch, which the LSTM plugin is built and run with, from PyTorch's wheel.
//!
//! Out: `.tools/libtorch` with `lib/` and `include/`. On Linux the wheel of PyTorch is built for NVIDIA GPUs and depends
//! on three gigabytes of CUDA. A machine without such a GPU gets the part that works on the CPU: two libraries, the
//! OpenMP runtime, the two small CUDA libraries that one of them links to, and the headers. Other machines get the
//! complete wheel.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::packages::has;
use super::wheels::{self, Dependencies};
use crate::shell::{output, run as run_command};

/// The version that `tch` binds.
const VERSION: &str = "2.13.0";
/// The part of CUDA that `libtorch_cpu.so` of that version links to.
const CUDA_PART: &str = "cuda-toolkit[cudart,cupti]==13.0.3";
/// The libraries of that part of CUDA.
const CUDA_LIBRARIES: [&str; 2] = ["libcudart.so.13", "libcupti.so.13"];
/// File that marks a complete CPU installation and holds its version, which `torch-sys` compares with its own.
const VERSION_FILE: &str = "build-version";

/// Returns the folder of libtorch; installs it if it is absent.
pub(super) fn fetch(tools: &Path) -> Result<PathBuf> {
    let folder = tools.join("libtorch");
    if is_complete(&folder) {
        return Ok(folder);
    }
    remove(&folder)?;
    if is_cpu_only() {
        install_cpu_part(tools, &folder)?;
        if is_loadable(&folder) {
            fs::write(folder.join(VERSION_FILE), VERSION).context("cannot write into .tools/libtorch")?;
            return Ok(folder);
        }
        eprintln!("setup: the CPU part of libtorch does not load on this machine; installing the complete wheel");
        remove(&folder)?;
    }
    install_complete_wheel(tools, &folder)?;
    if !is_loadable(&folder) {
        bail!("libtorch in {} does not load; set LIBTORCH to a libtorch {VERSION} of your own", folder.display());
    }
    Ok(folder)
}

/// Returns whether an earlier set-up completed an installation that suits this machine.
fn is_complete(folder: &Path) -> bool {
    let is_cpu_part = fs::read_to_string(folder.join(VERSION_FILE)).is_ok_and(|version| version == VERSION);
    // The complete installation is a link into the unpacked wheel, created as the last step.
    let is_complete_wheel = fs::read_link(folder).is_ok() && folder.join("lib").is_dir();
    is_complete_wheel || (is_cpu_part && is_cpu_only())
}

/// Returns whether this is Linux without an NVIDIA GPU.
fn is_cpu_only() -> bool {
    let has_gpu = Path::new("/proc/driver/nvidia/version").exists()
        || (has("nvidia-smi") && output(Command::new("nvidia-smi").arg("-L")).is_some());
    cfg!(target_os = "linux") && !has_gpu
}

/// Installs the part of the wheel that works without a GPU.
fn install_cpu_part(tools: &Path, folder: &Path) -> Result<()> {
    let wheel = tools.join("libtorch-wheel");
    remove(&wheel)?;
    wheels::unpack("libtorch (0.5 GB)", &format!("torch=={VERSION}"), &wheel, Dependencies::Skip)?;
    wheels::unpack("its CUDA runtime (13 MB)", CUDA_PART, &wheel, Dependencies::Include)?;
    let lib = folder.join("lib");
    fs::create_dir_all(&lib).with_context(|| format!("cannot create {}", lib.display()))?;
    let wanted = |name: &str| name == "libtorch_cpu.so" || name == "libc10.so" || name.starts_with("libgomp");
    for entry in fs::read_dir(wheel.join("torch/lib")).context("cannot read the libraries of the torch wheel")? {
        let from = entry?.path();
        let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if wanted(&name) {
            move_to(&from, &lib.join(name))?;
        }
    }
    for library in CUDA_LIBRARIES {
        move_to(&wheel.join("nvidia/cu13/lib").join(library), &lib.join(library))?;
    }
    move_to(&wheel.join("torch/include"), &folder.join("include"))?;
    remove(&wheel)?;
    link_library(&lib)
}

/// Links an empty `libtorch.so` that depends on the two CPU libraries: plugins link to it, and the wheel's own depends on
/// CUDA.
fn link_library(lib: &Path) -> Result<()> {
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-Wl,--no-as-needed", "-Wl,-soname,libtorch.so", "-Wl,-rpath,$ORIGIN"])
        .args(["-Wl,--allow-shlib-undefined", "-x", "c", "/dev/null", "-ltorch_cpu", "-lc10", "-L"])
        .arg(lib)
        .arg("-o")
        .arg(lib.join("libtorch.so"));
    run_command(&mut cc).context("cannot link libtorch.so")
}

/// Installs the complete wheel, on Linux with the CUDA that it depends on.
fn install_complete_wheel(tools: &Path, folder: &Path) -> Result<()> {
    let wheel = tools.join("libtorch-wheel");
    remove(&wheel)?;
    let dependencies = if cfg!(target_os = "macos") { Dependencies::Skip } else { Dependencies::Include };
    wheels::unpack("libtorch (3 GB with CUDA)", &format!("torch=={VERSION}"), &wheel, dependencies)?;
    std::os::unix::fs::symlink("libtorch-wheel/torch", folder).context("cannot link .tools/libtorch")
}

/// Returns whether the dynamic loader opens libtorch. Python is installed: its pip has just unpacked the wheel.
fn is_loadable(folder: &Path) -> bool {
    let library = folder.join("lib").join(format!("libtorch{}", std::env::consts::DLL_SUFFIX));
    let script = "import ctypes, sys; ctypes.CDLL(sys.argv[1])";
    output(Command::new("python3").args(["-c", script]).arg(library)).is_some()
}

fn move_to(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot move {} to {}", from.display(), to.display()))
}

/// Removes a folder or a link; nothing has to exist at `path`.
fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}
