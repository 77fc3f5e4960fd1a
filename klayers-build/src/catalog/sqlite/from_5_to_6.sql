-- When a publication was last under way: whoever settles it waits until its version cannot appear any
-- more. And why the version that it made cannot be listed.
ALTER TABLE intents ADD COLUMN attempted_at TEXT;
ALTER TABLE intents ADD COLUMN stuck TEXT;

-- Pointers to latest versions that are to be moved; the package as the pointer's name has it.
CREATE TABLE owed_pointers (
    region TEXT NOT NULL,
    target TEXT NOT NULL,
    package TEXT NOT NULL,
    PRIMARY KEY (region, target, package)
) STRICT, WITHOUT ROWID;
