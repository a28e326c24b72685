/** Languages that prompts are shipped in. */
export const LANGUAGES = ['en', 'de', 'fi', 'fr', 'es']
