-- Makes Muster's database, whose owner migrates it.
create database muster owner muster_owner
