//! The examples from which `oculus-host plugin new` starts a crate.

use clap::ValueEnum;

/// An example, as a user names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExampleName {
    /// Logistic regression: the shortest model family
    Logistic,
    /// Nearest neighbours: a model family whose predictions take long
    Knn,
    /// Thresholds of single features: a rule extractor
    Extractor,
}

/// The names and the texts of an example.
pub(super) struct Example {
    /// Kind of plugin, for a message.
    pub(super) kind: &'static str,
    /// Id of the plugin in the example's texts.
    pub(super) id: &'static str,
    /// Rust type of the plugin in the example's texts.
    pub(super) type_name: &'static str,
    /// Name of the method that the example implements. It is not replaced.
    pub(super) method: &'static str,
    /// First sentence of the README.
    pub(super) description: &'static str,
    /// Rows of the README's table of settings.
    pub(super) selection: &'static str,
    /// `Cargo.toml` of the example.
    cargo: &'static str,
    /// `src/lib.rs` of the example.
    pub(super) source: &'static str,
    /// Test of the example.
    test: &'static str,
}

/// Rows of the README's table for a model family.
macro_rules! family_selection {
    ($param:literal) => {
        concat!(
            "| `\"families\": [\"NAME\"]` | trains the family in addition to the others |\n",
            "| `\"config_search_model\": \"NAME\"` | makes this family the lead family, which the config search uses |\n",
            $param
        )
    };
}

impl ExampleName {
    /// Returns the names and the texts of the example.
    pub(super) fn example(self) -> Example {
        match self {
            Self::Logistic => Example {
                kind: "model family",
                id: "logistic",
                type_name: "Logistic",
                method: "Logistic regression",
                description: "This crate is a model family for oculus-host. It starts as a logistic regression.",
                selection: family_selection!(
                    "| `\"PREFIXl2\": 3.0` | sets the parameter `l2`; the names of all parameters start with this prefix |\n"
                ),
                cargo: include_str!("../../../../../examples/logistic/Cargo.toml"),
                source: include_str!("../../../../../examples/logistic/src/lib.rs"),
                test: include_str!("../../../../../examples/logistic/tests/logistic.rs"),
            },
            Self::Knn => Example {
                kind: "model family",
                id: "knn",
                type_name: "Knn",
                method: "Nearest neighbours",
                description: "This crate is a model family for oculus-host. It starts as nearest neighbours.",
                selection: family_selection!(
                    "| `\"PREFIXneighbours\": 20` | sets the parameter `neighbours`; the names of all parameters start with this prefix |\n"
                ),
                cargo: include_str!("../../../../../examples/knn/Cargo.toml"),
                source: include_str!("../../../../../examples/knn/src/lib.rs"),
                test: include_str!("../../../../../examples/knn/tests/knn.rs"),
            },
            Self::Extractor => Example {
                kind: "rule extractor",
                id: "thresholds",
                type_name: "Thresholds",
                method: "Thresholds of single features",
                description: "This crate is a rule extractor for oculus-host. It starts with thresholds of single features.",
                selection: "| `\"FLAG\": true` | mines rules with this extractor instead of the default one |\n| \
                            `\"rule_extractor\": \"NAME\"` | the same, by name |\n| `\"PREFIXmax_rules\": 20` | sets \
                            the parameter `max_rules`; the names of all parameters start with this prefix |\n",
                cargo: include_str!("../../../../../examples/thresholds/Cargo.toml"),
                source: include_str!("../../../../../examples/thresholds/src/lib.rs"),
                test: include_str!("../../../../../examples/thresholds/tests/thresholds.rs"),
            },
        }
    }
}

impl Example {
    /// Returns the paths and the contents of the template files. The contents use the names of the
    /// example.
    pub(super) fn files(&self) -> [(&'static str, &'static str); 5] {
        [
            ("Cargo.toml", self.cargo),
            ("src/lib.rs", self.source),
            ("tests/plugin.rs", self.test),
            ("README.md", include_str!("README.md")),
            (".gitignore", "/target\n"),
        ]
    }
}
