// What the server does not do yet, and what it shall be asked then: a part of `api/admin.ts`, whose rules hold here.

// ---- trunks
// POST /trunks/{name}/test                     -> TrunkTest        right configure-trunks: OPTIONS to its server
export interface TrunkTest { ok: boolean; status: number | null; milliseconds: number | null; what: string }

// ---- calls
// GET  /calls/{id}/ladder                      -> Ladder           right monitor: its SIP messages, without bodies and numbers
/** Lifelines are `sayso`, `trunk NAME`, `agent NAME`, `outside`. */
export interface Ladder { lines: string[]; messages: { at: string; from: string; to: string; what: string; cseq: string; body: string | null; leg: number }[]; cut: boolean }
