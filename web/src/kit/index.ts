// What all pages of the administration are made of.
export { Chart, type Series } from './chart'
export { ConfirmButton, ConfirmDialog, Work } from './confirm'
export { DocumentForm, readDocument, useDocument, writeDocument, type DocumentState, type Stored } from './document'
export { useFaultWords } from './fault'
export { Checks, Choice, Choices, goodName, KeepField, ListField, MaybeSpanField, NumberField, SpanField, TextField } from './fields'
export { Badge, Card, Facts, PageFrame, type Tone } from './page'
export { parseSpan, spanWords, splitSpan } from './span'
export { LocalTable, saveFile, ServerTable, type Column, type Filter } from './table'
