//! The recipe of a layer: how it is built from its wheels. It is stored in the lock inside the
//! layer, so that anyone who has the layer can build it again.

use klayers_core::{LayerName, Target};
use serde::{Deserialize, Serialize};

use crate::interpreter::PythonRelease;
use crate::secrets::TomlError;
use klayers_wheel::Acceptances;

/// The format of layers that this release builds. Increase the number when the same wheels and the
/// same recipe result in different bytes.
pub const FORMAT: u32 = 1;

/// Everything that determines the bytes of a layer, except its wheels and its slimming, which the
/// lock contains itself.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The format of the layer, currently [`FORMAT`].
    pub format: u32,
    /// The layer's name, which is also the name of a folder in it.
    pub layer: LayerName,
    /// The target that the layer was built for.
    pub target: Target,
    /// The CPython release of the layer's bytecode. None if it has no bytecode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytecode: Option<PythonRelease>,
    /// The faults of its wheels that were accepted.
    #[serde(default, skip_serializing_if = "Acceptances::is_empty")]
    pub accept: Acceptances,
}

impl Recipe {
    /// Creates the recipe of a layer without bytecode, from wheels without faults.
    pub fn new(layer: LayerName, target: Target) -> Self {
        let accept = Acceptances::default();
        Self { format: FORMAT, layer, target, bytecode: None, accept }
    }

    /// Formats the recipe as the table `[tool.klayers]` of a `pylock.toml`.
    pub(crate) fn to_toml(&self) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            tool: Tool<'a>,
        }
        #[derive(Serialize)]
        struct Tool<'a> {
            klayers: &'a Recipe,
        }
        // This only fails for values that TOML cannot represent, and a recipe has none.
        toml::to_string(&Document { tool: Tool { klayers: self } }).unwrap_or_default()
    }

    /// Parses the recipe in the text of a lock.
    ///
    /// # Errors
    ///
    /// If the lock has no recipe, or one of another format.
    pub fn parse(lock: &str) -> Result<Self, RecipeError> {
        #[derive(Deserialize)]
        struct Document {
            tool: Option<Tool>,
        }
        #[derive(Deserialize)]
        struct Tool {
            klayers: Option<toml::Value>,
        }
        let shape = |error: toml::de::Error| RecipeError::Shape(TomlError::new(&error, lock));
        let document: Document = toml::from_str(lock).map_err(shape)?;
        let table = document.tool.and_then(|tool| tool.klayers).ok_or(RecipeError::Missing)?;
        // Check the format first, since other formats may have other fields.
        let format = table.get("format").and_then(toml::Value::as_integer);
        if format != Some(i64::from(FORMAT)) {
            return Err(RecipeError::Format(format.unwrap_or_default()));
        }
        let mut table = table;
        if let Some(table) = table.as_table_mut() {
            // The lock parses this table.
            table.remove("slim");
        }
        table.try_into().map_err(shape)
    }
}

/// Why the recipe of a layer cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// The lock has no recipe.
    #[error("its lock does not say how the layer was built: it has no table [tool.klayers]")]
    Missing,
    /// The format is unknown.
    #[error("it is a layer of format {0}; this release builds format {FORMAT}")]
    Format(i64),
    /// The table is not a valid recipe.
    #[error("the table [tool.klayers] of its lock is not a valid recipe")]
    Shape(#[source] TomlError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Recipe {
        let target = "p3.12".parse().expect("a target");
        Recipe::new("Klayers-p312-sample".parse().expect("a name"), target)
    }

    fn recipe() -> Recipe {
        let accept = toml::from_str("sentry-cli = [\"record\"]").expect("a fault");
        Recipe { bytecode: Some("3.12.1".parse().expect("a release")), accept, ..plain() }
    }

    #[test]
    fn recipe_is_read_as_it_was_written() {
        insta::assert_snapshot!(recipe().to_toml());
        for recipe in [recipe(), plain()] {
            let lock = format!("lock-version = \"1.0\"\n\n{}", recipe.to_toml());
            assert_eq!(Recipe::parse(&lock).expect("a recipe"), recipe);
        }
    }

    #[test]
    fn invalid_recipes_are_refused() {
        let other = recipe().to_toml().replace("format = 1", "format = 2");
        assert!(matches!(Recipe::parse(&other), Err(RecipeError::Format(2))));
        assert!(matches!(Recipe::parse("lock-version = \"1.0\""), Err(RecipeError::Missing)));
        let unknown = format!("{}more = 1\n", plain().to_toml());
        assert!(matches!(Recipe::parse(&unknown), Err(RecipeError::Shape(_))));
        assert!(matches!(Recipe::parse("no toml at all ="), Err(RecipeError::Shape(_))));
    }
}
