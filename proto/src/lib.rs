//! The contracts of every Wenzhen service: generated messages, clients and servers.
//!
//! The module tree is the package tree: `wenzhen.kg.v1` is [`kg::v1`]. [`DESCRIPTORS`] holds
//! the descriptor set for reflection and for the protobuf JSON form.

#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::too_many_lines, reason = "generated from proto/wenzhen")]

macro_rules! package {
    ($name:ident, $package:tt) => {
        pub mod $name {
            pub mod v1 {
                tonic::include_proto!($package);
            }
        }
    };
}

package!(clinical, "wenzhen.clinical.v1");
package!(kg, "wenzhen.kg.v1");
package!(guidance, "wenzhen.guidance.v1");
package!(expert, "wenzhen.expert.v1");
package!(empathy, "wenzhen.empathy.v1");
package!(vision, "wenzhen.vision.v1");
package!(orchestrator, "wenzhen.orchestrator.v1");

/// The descriptor set of all packages, as serialised `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
