"""Sovereign countries, their capitals and their continents, by English names.

Continents follow the United Nations' regions, the Americas parted at Panama. Left out: countries whose capital is
disputed, shared between cities or being moved. Edit the table below, then train again: the corpus hash changes.
"""

from __future__ import annotations

from dataclasses import dataclass

_TABLE = {
    "Africa": """
        Algeria: Algiers; Angola: Luanda; Botswana: Gaborone; Burkina Faso: Ouagadougou; Burundi: Gitega;
        Cameroon: Yaounde; Cape Verde: Praia; Chad: Ndjamena; Comoros: Moroni; Djibouti: Djibouti; Egypt: Cairo;
        Eritrea: Asmara; Ethiopia: Addis Ababa; Gabon: Libreville; Ghana: Accra; Guinea: Conakry; Kenya: Nairobi;
        Lesotho: Maseru; Liberia: Monrovia; Libya: Tripoli; Madagascar: Antananarivo; Malawi: Lilongwe; Mali: Bamako;
        Mauritania: Nouakchott; Mauritius: Port Louis; Morocco: Rabat; Mozambique: Maputo; Namibia: Windhoek;
        Niger: Niamey; Nigeria: Abuja; Rwanda: Kigali; Senegal: Dakar; Seychelles: Victoria; Sierra Leone: Freetown;
        Somalia: Mogadishu; Sudan: Khartoum; South Sudan: Juba; Tanzania: Dodoma; the Gambia: Banjul; Togo: Lome;
        Tunisia: Tunis; Uganda: Kampala; Zambia: Lusaka; Zimbabwe: Harare""",
    "Asia": """
        Afghanistan: Kabul; Armenia: Yerevan; Azerbaijan: Baku; Bahrain: Manama; Bangladesh: Dhaka; Bhutan: Thimphu;
        Brunei: Bandar Seri Begawan; Cambodia: Phnom Penh; China: Beijing; Cyprus: Nicosia; Georgia: Tbilisi;
        India: New Delhi; Iran: Tehran; Iraq: Baghdad; Japan: Tokyo; Jordan: Amman; Kazakhstan: Astana;
        Kuwait: Kuwait City; Kyrgyzstan: Bishkek; Laos: Vientiane; Lebanon: Beirut; Malaysia: Kuala Lumpur;
        Mongolia: Ulaanbaatar; Myanmar: Naypyidaw; Nepal: Kathmandu; North Korea: Pyongyang; Oman: Muscat;
        Pakistan: Islamabad; Qatar: Doha; Saudi Arabia: Riyadh; Singapore: Singapore; South Korea: Seoul;
        Syria: Damascus; Tajikistan: Dushanbe; Thailand: Bangkok; the Maldives: Male; the Philippines: Manila;
        the United Arab Emirates: Abu Dhabi; Turkey: Ankara; Turkmenistan: Ashgabat; Uzbekistan: Tashkent;
        Vietnam: Hanoi""",
    "Europe": """
        Albania: Tirana; Andorra: Andorra la Vella; Austria: Vienna; Belarus: Minsk; Belgium: Brussels;
        Bosnia and Herzegovina: Sarajevo; Bulgaria: Sofia; Croatia: Zagreb; the Czech Republic: Prague;
        Denmark: Copenhagen; Estonia: Tallinn; Finland: Helsinki; France: Paris; Germany: Berlin; Greece: Athens;
        Hungary: Budapest; Iceland: Reykjavik; Ireland: Dublin; Italy: Rome; Latvia: Riga; Liechtenstein: Vaduz;
        Lithuania: Vilnius; Luxembourg: Luxembourg; Malta: Valletta; Moldova: Chisinau; Monaco: Monaco;
        Montenegro: Podgorica; North Macedonia: Skopje; Norway: Oslo; Poland: Warsaw; Portugal: Lisbon;
        Romania: Bucharest; Russia: Moscow; San Marino: San Marino; Serbia: Belgrade; Slovakia: Bratislava;
        Slovenia: Ljubljana; Spain: Madrid; Sweden: Stockholm; Switzerland: Bern; the Netherlands: Amsterdam;
        the United Kingdom: London; Ukraine: Kyiv""",
    "North America": """
        Barbados: Bridgetown; Belize: Belmopan; Canada: Ottawa; Costa Rica: San Jose; Cuba: Havana; Dominica: Roseau;
        El Salvador: San Salvador; Guatemala: Guatemala City; Haiti: Port-au-Prince;
        Honduras: Tegucigalpa; Jamaica: Kingston; Mexico: Mexico City; Nicaragua: Managua; Panama: Panama City;
        Saint Lucia: Castries; the Bahamas: Nassau; the Dominican Republic: Santo Domingo;
        the United States: Washington; Trinidad and Tobago: Port of Spain""",
    "South America": """
        Argentina: Buenos Aires; Brazil: Brasilia; Chile: Santiago; Colombia: Bogota; Ecuador: Quito;
        Guyana: Georgetown; Paraguay: Asuncion; Peru: Lima; Suriname: Paramaribo; Uruguay: Montevideo;
        Venezuela: Caracas""",
    "Oceania": """
        Australia: Canberra; Fiji: Suva; Micronesia: Palikir; New Zealand: Wellington; Palau: Ngerulmud;
        Papua New Guinea: Port Moresby; Samoa: Apia; the Solomon Islands: Honiara; Tonga: Nukualofa;
        Vanuatu: Port Vila""",
}


@dataclass(frozen=True, kw_only=True)
class Country:
    """`name` as it stands inside a sentence, article included: "France", "the Netherlands"."""

    name: str
    capital: str
    continent: str


def _read() -> tuple[Country, ...]:
    pairs = (
        (continent, *(side.strip() for side in entry.split(":")))
        for continent, entries in _TABLE.items()
        for entry in entries.split(";")
    )
    return tuple(Country(name=name, capital=capital, continent=continent) for continent, name, capital in pairs)


COUNTRIES = _read()
