//! The RPC methods that this build knows, from the descriptor sets. Anything else shares one entry, so that a caller
//! cannot make up labels.

use std::collections::HashMap;
use std::sync::OnceLock;

use prost::Message;
use prost_types::FileDescriptorSet;

/// One RPC method.
#[derive(Debug)]
pub struct Method {
    /// `package.Service/Method`; `other` for what is not known.
    pub name: String,
    /// `package.Service`.
    pub service: String,
    /// `Method`.
    pub method: String,
    /// Its requests are a stream.
    pub client_streaming: bool,
    /// Its responses are a stream.
    pub server_streaming: bool,
    /// A stream that lives as long as somebody watches, and does little (`Watch…`, by convention).
    pub watch: bool,
    /// Health and reflection: neither limited nor traced, and cut off as soon as a drain begins.
    pub infrastructure: bool,
    /// Place in [`all`].
    pub index: usize,
}

struct Methods {
    all: Vec<Method>,
    by_path: HashMap<String, usize>,
    other: Method,
}

/// All known methods.
pub fn all() -> &'static [Method] {
    &methods().all
}

/// The method of a request path (`/package.Service/Method`).
pub fn find(path: &str) -> &'static Method {
    let methods = methods();
    methods.by_path.get(path).and_then(|index| methods.all.get(*index)).unwrap_or(&methods.other)
}

/// The method of a name: `package.Service/Method`, or `Service/Method` where that is enough to tell.
pub fn named(name: &str) -> Option<&'static Method> {
    let short = |method: &&Method| {
        let rest = method.name.strip_suffix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let mut found = all().iter().filter(short);
    found.next().filter(|_| found.next().is_none())
}

fn methods() -> &'static Methods {
    static METHODS: OnceLock<Methods> = OnceLock::new();
    METHODS.get_or_init(|| {
        let sets = [
            wenzhen_proto::DESCRIPTORS,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        let mut all = Vec::new();
        for set in sets {
            // A set that cannot be read leaves its methods under `other`: worse labels, not a worse service.
            collect(&FileDescriptorSet::decode(set).unwrap_or_default(), &mut all);
        }
        let by_path = all.iter().map(|method: &Method| (format!("/{}", method.name), method.index)).collect();
        let other = Method {
            name: "other".to_owned(),
            service: "other".to_owned(),
            method: "other".to_owned(),
            client_streaming: false,
            server_streaming: false,
            watch: false,
            infrastructure: false,
            index: all.len(),
        };
        Methods { all, by_path, other }
    })
}

fn collect(set: &FileDescriptorSet, all: &mut Vec<Method>) {
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let service = format!("{}.{}", file.package(), service.name());
                let name = format!("{service}/{}", method.name());
                if all.iter().any(|known| known.name == name) {
                    continue;
                }
                all.push(Method {
                    infrastructure: service.starts_with("grpc."),
                    method: method.name().to_owned(),
                    client_streaming: method.client_streaming(),
                    server_streaming: method.server_streaming(),
                    watch: method.server_streaming() && method.name().starts_with("Watch"),
                    index: all.len(),
                    service,
                    name,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_ours_and_the_infrastructure_and_lumps_the_rest() {
        let describe = find("/wenzhen.kg.v1.KgService/Describe");
        assert_eq!(
            (describe.service.as_str(), describe.method.as_str(), describe.infrastructure),
            ("wenzhen.kg.v1.KgService", "Describe", false)
        );
        let watch = find("/grpc.health.v1.Health/Watch");
        assert!(watch.infrastructure && watch.server_streaming);
        assert_eq!(find("/made.Up/Method").name, "other");
        assert!(find("/wenzhen.orchestrator.v1.OrchestratorService/WatchConsultation").watch && !describe.watch);
        assert!(all().iter().enumerate().all(|(place, method)| place == method.index));
    }

    #[test]
    fn a_method_is_found_by_its_whole_name_and_by_a_short_one_that_is_enough() {
        for name in ["wenzhen.kg.v1.KgService/Describe", "KgService/Describe"] {
            assert_eq!(named(name).map(|method| method.method.as_str()), Some("Describe"));
        }
        for name in ["", "Describe", "gService/Describe", "KgService/None", "KgService"] {
            assert!(named(name).is_none(), "{name}");
        }
    }
}
