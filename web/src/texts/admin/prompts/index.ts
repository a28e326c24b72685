import { pageTexts } from '..'

import { de } from './de'
import { en, type Words } from './en'
import { fi } from './fi'

export type { Words }
export const usePromptsWords = pageTexts<Words>({ en, de, fi })
