import { pageTexts } from '../../../../texts/admin'
import { useRecordsWords } from '../../../../texts/admin/records'

import { de } from './de'
import { en, type Words as Own } from './en'
import { fi } from './fi'

const useOwnWords = pageTexts<Own>({ en, de, fi })
/** Those of a call's page, and the ladder's own. */
export const useLadderWords = () => ({ ...useRecordsWords().calls, ...useOwnWords() })
export type Words = ReturnType<typeof useLadderWords>
