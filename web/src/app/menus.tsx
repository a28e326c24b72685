import { ActionIcon, Menu, useMantineColorScheme } from '@mantine/core'

import { LANGUAGES, useLanguage, useTexts, type Language } from '../texts'
import iconUrl from '../ui/icon.svg'
import { Icon } from '../ui/icons'

export function Brand() {
  return <span className="brand"><img src={iconUrl} width={28} height={28} alt="" />Sayso</span>
}

export function LanguageMenu() {
  const { t, language, choose } = useLanguage()
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t.nav.language}><Icon name="globe" /></ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {(Object.keys(LANGUAGES) as Language[]).map((one) => (
          <Menu.Item key={one} lang={one} aria-current={one === language} onClick={() => { choose(one) }}
            leftSection={one === language ? <Icon name="check" size={16} /> : <span style={{ width: 16 }} />}>
            {LANGUAGES[one].languageName}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

export function ThemeMenu() {
  const t = useTexts()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t.nav.theme}><Icon name="sun" /></ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {(['auto', 'light', 'dark'] as const).map((one) => (
          <Menu.Item key={one} aria-current={one === colorScheme} onClick={() => { setColorScheme(one) }}
            leftSection={one === colorScheme ? <Icon name="check" size={16} /> : <span style={{ width: 16 }} />}>
            {t.nav.themes[one]}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}
