import { pageTexts } from '../../../../texts/admin'

import { de } from './de'
import { en, type Words } from './en'
import { fi } from './fi'

export type { Words }
export const useTrunkTestWords = pageTexts<Words>({ en, de, fi })
