//! What can be loaded, and its methods.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// An agent that can be loaded.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Agent {
    /// Whole consultations with think time
    Orchestrator,
    /// Growing sets of observations, sampled from conditions
    Kg,
    /// What patients say, and findings to ask for
    Guidance,
    /// Cases to be diagnosed
    Expert,
    /// What patients feel, and drafts to rewrite
    Empathy,
    /// Photographs, drawn for the purpose
    Vision,
}

/// A method that is called.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name in the contract.
    pub name: &'static str,
    /// Its path on the wire.
    pub path: &'static str,
    /// Full name of its request.
    pub request: &'static str,
    /// It answers with a stream, whose first item is timed.
    pub streams: bool,
    /// It takes a stream: its requests are many messages, each behind its length.
    pub takes_stream: bool,
    /// Its latencies are the agent's headline; others are counted and timed beside it.
    pub headline: bool,
    /// Its share where the user names none.
    pub weight: u32,
}

/// Positions of the orchestrator's methods in [`Agent::methods`].
pub mod consultation {
    /// StartConsultation.
    pub const START: usize = 0;
    /// SendMessage.
    pub const SEND: usize = 1;
    /// GetConsultation.
    pub const GET: usize = 2;
    /// UndoTurn.
    pub const UNDO: usize = 3;
    /// EndConsultation.
    pub const END: usize = 4;
    /// DeleteConsultation.
    pub const DELETE: usize = 5;
}

macro_rules! method {
    ($package:literal, $service:literal, $name:literal, $weight:literal $(, $flag:ident)*) => {
        Method {
            $($flag: true,)*
            ..Method {
                name: $name,
                path: concat!("/wenzhen.", $package, ".v1.", $service, "/", $name),
                request: concat!("wenzhen.", $package, ".v1.", $name, "Request"),
                streams: false,
                takes_stream: false,
                headline: false,
                weight: $weight,
            }
        }
    };
}

static ORCHESTRATOR: [Method; 6] = [
    method!("orchestrator", "OrchestratorService", "StartConsultation", 1),
    method!("orchestrator", "OrchestratorService", "SendMessage", 1, streams, headline),
    method!("orchestrator", "OrchestratorService", "GetConsultation", 1),
    method!("orchestrator", "OrchestratorService", "UndoTurn", 1),
    method!("orchestrator", "OrchestratorService", "EndConsultation", 1),
    method!("orchestrator", "OrchestratorService", "DeleteConsultation", 1),
];
static KG: [Method; 1] = [method!("kg", "KgService", "Advance", 1, headline)];
static GUIDANCE: [Method; 2] = [
    method!("guidance", "GuidanceService", "Interpret", 8, headline),
    method!("guidance", "GuidanceService", "Ask", 2, headline),
];
static EXPERT: [Method; 1] = [method!("expert", "ExpertService", "Diagnose", 1, headline)];
static EMPATHY: [Method; 2] = [
    method!("empathy", "EmpathyService", "Assess", 7, headline),
    method!("empathy", "EmpathyService", "Modulate", 3, streams, headline),
];
static VISION: [Method; 1] = [method!("vision", "VisionService", "ClassifyTongue", 1, takes_stream, headline)];

impl Agent {
    /// Every agent.
    pub const ALL: [Self; 6] =
        [Self::Orchestrator, Self::Kg, Self::Guidance, Self::Expert, Self::Empathy, Self::Vision];

    /// The name that flags, files and reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orchestrator => "orchestrator",
            Self::Kg => "kg",
            Self::Guidance => "guidance",
            Self::Expert => "expert",
            Self::Empathy => "empathy",
            Self::Vision => "vision",
        }
    }

    /// The methods that a load calls.
    pub const fn methods(self) -> &'static [Method] {
        match self {
            Self::Orchestrator => &ORCHESTRATOR,
            Self::Kg => &KG,
            Self::Guidance => &GUIDANCE,
            Self::Expert => &EXPERT,
            Self::Empathy => &EMPATHY,
            Self::Vision => &VISION,
        }
    }

    /// The method that says what the agent holds.
    pub const fn describe_path(self) -> &'static str {
        match self {
            Self::Orchestrator => "/wenzhen.orchestrator.v1.OrchestratorService/Describe",
            Self::Kg => "/wenzhen.kg.v1.KgService/Describe",
            Self::Guidance => "/wenzhen.guidance.v1.GuidanceService/Describe",
            Self::Expert => "/wenzhen.expert.v1.ExpertService/Describe",
            Self::Empathy => "/wenzhen.empathy.v1.EmpathyService/Describe",
            Self::Vision => "/wenzhen.vision.v1.VisionService/Describe",
        }
    }

    /// What one arrival is, for sentences.
    pub const fn arrival(self) -> &'static str {
        match self {
            Self::Orchestrator => "consultations",
            Self::Kg | Self::Guidance | Self::Expert | Self::Empathy | Self::Vision => "calls",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_reflect::DescriptorPool;

    #[test]
    fn every_method_stands_in_the_contracts() {
        let pool = DescriptorPool::decode(wenzhen_proto::DESCRIPTORS).unwrap();
        for agent in Agent::ALL {
            for (path, request, streams, takes) in agent
                .methods()
                .iter()
                .map(|m| (m.path, Some(m.request), m.streams, m.takes_stream))
                .chain([(agent.describe_path(), None, false, false)])
            {
                let (service, name) = path[1..].split_once('/').unwrap();
                let service = pool.get_service_by_name(service).unwrap_or_else(|| panic!("{path}"));
                let method = service.methods().find(|m| m.name() == name).unwrap_or_else(|| panic!("{path}"));
                assert_eq!(method.is_server_streaming(), streams, "{path}");
                assert_eq!(method.is_client_streaming(), takes, "{path}");
                assert!(request.is_none_or(|request| method.input().full_name() == request), "{path}");
            }
            assert!(agent.methods().iter().any(|m| m.headline));
        }
    }

    #[test]
    fn the_positions_of_the_consultation_are_right() {
        use consultation::{DELETE, END, GET, SEND, START, UNDO};
        let names = [START, SEND, GET, UNDO, END, DELETE].map(|at| Agent::Orchestrator.methods()[at].name);
        let whole = ["Start", "", "Get", "", "End", "Delete"].map(|verb| format!("{verb}Consultation"));
        assert_eq!(names[0], whole[0]);
        assert_eq!((names[1], names[3]), ("SendMessage", "UndoTurn"));
        assert_eq!((names[2], names[4], names[5]), (&*whole[2], &*whole[4], &*whole[5]));
    }
}
