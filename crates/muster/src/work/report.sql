-- Takes reports on leased steps; says of each, by its number from 1, what became of it.
select item as "item!", verdict as "verdict!: muster_wire::work::Verdict", outcome as "outcome: muster_wire::work::Outcome"
from report_steps($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
