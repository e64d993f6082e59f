//! Where a model is computed.

use std::fmt;

use candle_core::Device;

use super::error::LoadError;

/// Where a model is computed, and with what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Target {
    /// On the processor, with this crate's kernels.
    #[default]
    Cpu,
    /// On an NVIDIA GPU, by its number among those that the process sees; needs the feature `cuda`.
    Cuda(usize),
    /// What runs on a GPU, on the processor: slower than [`Target::Cpu`], for tests where there is no GPU.
    CpuTensors,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::CpuTensors => f.write_str("cpu, as tensors"),
        }
    }
}

impl Target {
    /// The device of candle's tensors; none where this crate's kernels compute.
    pub(crate) fn device(self) -> Result<Option<Device>, LoadError> {
        match self {
            Self::Cpu => Ok(None),
            Self::CpuTensors => Ok(Some(Device::Cpu)),
            Self::Cuda(index) => cuda(index).map(Some),
        }
    }
}

/// With a stream of its own: candle's other one is another in each thread, and nothing would order what the thread that
/// loads has begun before what the thread that serves reads.
#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<Device, LoadError> {
    Device::new_cuda_with_stream(index)
        .map_err(|error| LoadError::Gpu { target: Target::Cuda(index), reason: first_line(&error.to_string()) })
}

#[cfg(not(feature = "cuda"))]
fn cuda(index: usize) -> Result<Device, LoadError> {
    Err(LoadError::NoCuda(Target::Cuda(index)))
}

/// Bytes that are free on the device; none where it is not known.
#[cfg(feature = "cuda")]
pub(crate) fn free(device: &Device) -> Option<u64> {
    let Device::Cuda(device) = device else { return None };
    let (free, _) = device.cuda_stream().context().mem_get_info().ok()?;
    u64::try_from(free).ok()
}

#[cfg(not(feature = "cuda"))]
pub(crate) fn free(_device: &Device) -> Option<u64> {
    None
}

/// Errors of the driver come with a trace of calls where one was asked for.
#[cfg(feature = "cuda")]
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(all(test, not(feature = "cuda")))]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_refused_where_there_is_no_cuda() {
        let error = Target::Cuda(1).device().unwrap_err().to_string();
        assert!(error.contains("cuda:1") && error.contains("feature `cuda`"), "{error}");
        assert!(Target::Cpu.device().unwrap().is_none());
        assert!(Target::CpuTensors.device().unwrap().is_some_and(|device| device.is_cpu()));
    }
}
