-- attempted_at: when a publication was last under way; settling waits until its version can no
-- longer appear. stuck: why the version that it made cannot be listed.
ALTER TABLE intents ADD COLUMN attempted_at TEXT;
ALTER TABLE intents ADD COLUMN stuck TEXT;

-- Pointers to latest versions that must be moved. The package is spelled as in the pointer's name.
CREATE TABLE owed_pointers (
    region TEXT NOT NULL,
    target TEXT NOT NULL,
    package TEXT NOT NULL,
    PRIMARY KEY (region, target, package)
) STRICT, WITHOUT ROWID;
