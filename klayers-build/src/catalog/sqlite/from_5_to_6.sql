-- When a publication was last under way: whoever settles it waits until its version cannot appear any
-- more. And why the version that it made cannot be listed.
ALTER TABLE intents ADD COLUMN attempted_at TEXT;
ALTER TABLE intents ADD COLUMN stuck TEXT;
