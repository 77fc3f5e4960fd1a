//! How a layer is made of its wheels. It stands in the layer's own lock, so that whoever has the
//! layer can make it again.

use klayers_core::{LayerName, Target};
use serde::{Deserialize, Serialize};

use crate::interpreter::PythonRelease;
use crate::secrets::TomlError;
use klayers_wheel::Acceptances;

/// The format of layers that this release makes. The number goes up when the same wheels and the
/// same recipe give other bytes than before.
pub const FORMAT: u32 = 1;

/// What decides about the bytes of a layer beside its wheels and what is left out of them, which the
/// lock itself says.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The format of the layer, [`FORMAT`] today.
    pub format: u32,
    /// The layer's name, which is that of a folder in it.
    pub layer: LayerName,
    /// What it was made for.
    pub target: Target,
    /// The release of CPython that its bytecode is of; none where it has no bytecode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytecode: Option<PythonRelease>,
    /// The faults of wheels that were accepted, as far as there were any.
    #[serde(default, skip_serializing_if = "Acceptances::is_empty")]
    pub accept: Acceptances,
}

impl Recipe {
    /// A layer without bytecode, of wheels without faults.
    pub fn new(layer: LayerName, target: Target) -> Self {
        let accept = Acceptances::default();
        Self { format: FORMAT, layer, target, bytecode: None, accept }
    }

    /// The tables of a `pylock.toml` that hold the recipe: `[tool.klayers]` and what is below.
    pub(crate) fn to_toml(&self) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            tool: Tool<'a>,
        }
        #[derive(Serialize)]
        struct Tool<'a> {
            klayers: &'a Recipe,
        }
        // It fails only for values that TOML cannot hold, and there are none.
        toml::to_string(&Document { tool: Tool { klayers: self } }).unwrap_or_default()
    }

    /// Reads the recipe in the text of a lock.
    ///
    /// # Errors
    ///
    /// If there is none, or one of another format.
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
        // The format first: another one may have other fields.
        let format = table.get("format").and_then(toml::Value::as_integer);
        if format != Some(i64::from(FORMAT)) {
            return Err(RecipeError::Format(format.unwrap_or_default()));
        }
        let mut table = table;
        if let Some(table) = table.as_table_mut() {
            // What is left out is the lock's to say.
            table.remove("slim");
        }
        table.try_into().map_err(shape)
    }
}

/// Why the recipe of a layer cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// The lock has none.
    #[error("its lock does not say how the layer was made: there is no [tool.klayers] in it")]
    Missing,
    /// It is of a format that is not known.
    #[error("it is a layer of format {0}; this release makes format {FORMAT}")]
    Format(i64),
    /// It is not of the shape of a recipe.
    #[error("its lock does not say how the layer was made")]
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
    fn a_recipe_is_read_as_it_was_written() {
        insta::assert_snapshot!(recipe().to_toml());
        for recipe in [recipe(), plain()] {
            let lock = format!("lock-version = \"1.0\"\n\n{}", recipe.to_toml());
            assert_eq!(Recipe::parse(&lock).expect("a recipe"), recipe);
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        let other = recipe().to_toml().replace("format = 1", "format = 2");
        assert!(matches!(Recipe::parse(&other), Err(RecipeError::Format(2))));
        assert!(matches!(Recipe::parse("lock-version = \"1.0\""), Err(RecipeError::Missing)));
        let unknown = format!("{}more = 1\n", plain().to_toml());
        assert!(matches!(Recipe::parse(&unknown), Err(RecipeError::Shape(_))));
        assert!(matches!(Recipe::parse("no toml at all ="), Err(RecipeError::Shape(_))));
    }
}
