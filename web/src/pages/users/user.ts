// A user's document as its form sees it. Pure.
import type { UserDocument } from '../../api/admin'

/**
 * Another password. Who gets one has to change it, unless somebody says otherwise: `must-change` as it was read speaks of
 * the old password, and is left out; without a new one it is back. What somebody chose in the form stays.
 */
export function withPassword(draft: UserDocument, stored: UserDocument | undefined, password: string): Partial<UserDocument> {
  if (password === '') return { password: undefined, 'must-change': draft['must-change'] ?? stored?.['must-change'] }
  const chosen = draft.password !== undefined || draft['must-change'] !== stored?.['must-change']
  return { password, ...(chosen ? {} : { 'must-change': undefined }) }
}

/** What will hold: unsaid, a new password has to be changed. */
export const mustChange = (draft: UserDocument, isNew: boolean): boolean => draft['must-change'] ?? (isNew || draft.password !== undefined)
