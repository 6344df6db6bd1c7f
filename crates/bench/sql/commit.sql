-- Ends it.
commit
