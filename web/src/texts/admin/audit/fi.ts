import { en, type Words } from './en'

export const fi: Words = en
